"""Robust prompt tuning on the user's images: with the GCE, and all seeds side by side."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ptnl.backbones.text import TextBackbone
from ptnl.machine.random_streams import random_stream
from ptnl.methods.prompt import CONTEXT_STD
from ptnl.own.folds import draw_per_class, stratified_folds
from ptnl.own.names import Classes
from ptnl.text import PromptEncoder, context_prompts
from ptnl.text.prompts import Prompt
from ptnl.training.losses import Loss, generalised_cross_entropy
from ptnl.training.optim import train_sgd
from ptnl.training.tuning import cosine_logits, initial_normal

SEEDS = (1, 2, 3, 4)  # as many as the paper averages over
SHOTS = 16  # images per class that a run sees, as in the paper
CLIP_LOGIT_SCALE = 100.0
Q = 0.7  # of the GCE (paper, section 3, below Eq. 3)
# The paper's protocol (section 4.1), except that the batch is four times as large, with four times
# the learning rate, and so a quarter of the steps. The rate is for CLIP's logit scale of 100.
SETTINGS: dict[str, Any] = {
    "context_length": 16,
    "epochs": 50,
    "batch_size": 128,
    "learning_rate": 0.008,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "warmup_epochs": 1,
    "warmup_learning_rate": 1e-5,
}


class RunPlan(NamedTuple):
    """The images of one training."""

    seed: int
    rows: np.ndarray  # (n) images that it trains on
    held_out: np.ndarray  # images that it judges


@dataclass(frozen=True)
class CrossFitted:
    """Predictions for N images by prompts that were not trained on them, over seeds and epochs."""

    log_probabilities: np.ndarray  # (N, C), mean
    margins: np.ndarray  # (N), mean of p(label) - max p(other)


def equal_sized(plans: Sequence[RunPlan]) -> list[RunPlan]:
    """The plans, each cut at random to as many images as the smallest has.

    Runs that train side by side need the same number of images.
    """
    size = min(len(plan.rows) for plan in plans)
    return [
        plan._replace(rows=random_stream("own_order", plan.seed).permutation(plan.rows)[:size])
        for plan in plans
    ]


def robust_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The paper's robust loss, one value per sample. logits (..., C), labels (...) -> (...)."""
    return generalised_cross_entropy(logits, labels, Q)


def settings_for(logit_scale: float) -> dict[str, Any]:
    """The settings for a backbone's logit scale.

    Logits are proportional to the scale, and so are their gradients. To change logits by as much as
    at CLIP's scale, the learning rate must be larger by the square of the ratio.
    """
    rate = SETTINGS["learning_rate"] * (CLIP_LOGIT_SCALE / logit_scale) ** 2
    return {**SETTINGS, "learning_rate": rate}


def prompts_of(backbone: TextBackbone, classes: Classes) -> list[Prompt]:
    """The prompts [context][words for the class][.]."""
    return context_prompts(backbone.tokenizer, classes.words, SETTINGS["context_length"])


def train(
    backbone: TextBackbone,
    classes: Classes,
    features: Tensor,
    labels: np.ndarray,
    plans: Sequence[RunPlan],
    after_epoch: Callable[[Tensor], None] | None = None,
    loss: Loss = robust_loss,
) -> tuple[Tensor, Tensor]:
    """Train the plans' prompts side by side.

    Parameters
    ----------
    features : (N, D), on the backbone's device
    labels : (N)
    after_epoch : takes the unit class embeddings (R, C, D) after every epoch
    loss : one value per sample

    Returns
    -------
    Contexts (R, M, W) and unit class embeddings (R, C, D)
    """
    settings = settings_for(backbone.logit_scale)
    plans = equal_sized(plans)
    encoder = PromptEncoder(backbone.tower, [p.tokens for p in prompts_of(backbone, classes)])
    shape = (settings["context_length"], backbone.tower.width)
    start = [initial_normal("own_context", shape, CONTEXT_STD, plan.seed) for plan in plans]
    context = torch.stack(start).to(backbone.device).requires_grad_()
    rows = torch.from_numpy(np.stack([plan.rows for plan in plans])).to(backbone.device)
    seen, scale = features[rows], backbone.logit_scale
    targets = torch.from_numpy(labels).to(backbone.device)[rows]

    @torch.no_grad()
    def embeddings() -> Tensor:
        return F.normalize(encoder(context), dim=-1)

    def features_at(epoch: int) -> Tensor:
        # This is called at the start of an epoch, so the prompts are those after the last one.
        if epoch and after_epoch:
            after_epoch(embeddings())
        return seen

    train_sgd(
        context,
        lambda context, features: cosine_logits(features, encoder(context), scale),
        features_at,
        targets,
        targets,
        [plan.seed for plan in plans],
        loss,
        settings,
    )
    final = embeddings()
    if after_epoch:
        after_epoch(final)
    return context.detach(), final


def cross_fitted(
    backbone: TextBackbone,
    classes: Classes,
    features: Tensor,
    labels: np.ndarray,
    folds: int,
    seeds: Sequence[int],
    shots: int = SHOTS,
) -> CrossFitted:
    """Judge every image by prompts that were trained on other folds.

    A margin averaged over epochs detects wrong labels better than that of the last epoch, because
    wrong labels are learnt late, if at all (Pleiss et al. 2020, "area under the margin").
    """
    plans = []
    for seed in seeds:
        fold = stratified_folds(labels, folds, seed)
        for number in range(folds):
            rows = draw_per_class(labels, np.flatnonzero(fold != number), shots, seed, number)
            held_out = np.flatnonzero(fold == number)
            plans.append(RunPlan(folds * seed + number, rows, held_out))
    total = np.zeros((len(labels), len(classes.names)), dtype=np.float64)
    margins, epochs = np.zeros(len(labels)), 0

    def judge(embeddings: Tensor) -> None:
        nonlocal epochs
        epochs += 1
        for plan, of_run in zip(plans, embeddings, strict=True):
            logits = cosine_logits(features[plan.held_out], of_run, backbone.logit_scale)
            log_p = logits.log_softmax(dim=-1).cpu().numpy()
            total[plan.held_out] += log_p
            margins[plan.held_out] += label_margins(np.exp(log_p), labels[plan.held_out])

    train(backbone, classes, features, labels, plans, judge)
    times = epochs * len(seeds)
    return CrossFitted(total / times, margins / times)


def label_margins(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """p(label) - max p(other), of probabilities (N, C) and labels (N)."""
    rows = np.arange(len(labels))
    others = probabilities.copy()
    others[rows, labels] = -np.inf
    margins: np.ndarray = probabilities[rows, labels] - others.max(axis=1)
    return margins


def ensembled(embeddings: Tensor) -> Tensor:
    """Unit class embeddings (C, D) from those of several runs (R, C, D), ensembled as in CLIP.

    This is the mean of unit embeddings, normalised again (Radford et al. 2021, section 3.1.4).
    """
    return F.normalize(embeddings.mean(dim=0), dim=-1)
