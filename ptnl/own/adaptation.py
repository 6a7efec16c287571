"""Adapting a model to the user's images: which models are tried, judged and kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from ptnl.backbones.text import TextBackbone
from ptnl.errors import InputError
from ptnl.own.duplicates import copies
from ptnl.own.experts import fit_residual
from ptnl.own.folds import FOLDS, draw_per_class, stratified_folds
from ptnl.own.inputs import UNLABELLED
from ptnl.own.metrics import Quality, accuracy_gain, quality
from ptnl.own.names import Classes
from ptnl.own.noise_model import LabelNoise, fit_noise, rate_interval
from ptnl.own.prompts import SEEDS, RunPlan, ensembled, robust_loss, train
from ptnl.text import encode_texts
from ptnl.training.tuning import cosine_logits

CROSS_FITTED_SEEDS = 2  # prompts in an ensemble that judges held-out images
PROBE_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)  # of the probe in the blend; 0 is only the prompt
FEWEST_LABELS = 20  # with fewer, held-out accuracy is too uncertain

TITLES = {
    "zero_shot": "zero-shot",
    "robust_upl": "Robust UPL (GCE, ensemble)",
    "prompt": "robust prompt (GCE, ensemble)",
    "blend": "robust prompt blended with a probe",
}


@dataclass(frozen=True)
class Adaptation:
    """The result of adapting."""

    kept: str  # the model that is kept, a name in `TITLES`
    tried: str  # the model that is compared with zero-shot
    class_embeddings: Tensor  # (C, D), unit, of the model that is kept
    zero_shot_embeddings: Tensor  # (C, D), unit
    contexts: Tensor  # (R, M, W), the prompts that were tuned
    probe_share: float  # of the probe in the blend
    labelled: int
    quality: dict[str, Quality] = field(default_factory=dict)  # cross-fitted; empty without labels
    gain: tuple[float, float, float] | None = None  # over zero-shot, with its 95 % interval
    noise: LabelNoise | None = None
    noise_interval: tuple[float, float] | None = None
    changed: float = 0.0  # share of all images whose predicted class the tried model changes
    counts: pd.DataFrame = field(default_factory=pd.DataFrame)  # one row per class


def zero_shot_embeddings(backbone: TextBackbone, classes: Classes, template: str) -> Tensor:
    """Unit embeddings (C, D) of the hand-crafted prompts."""
    return F.normalize(encode_texts(backbone.tower, classes.texts(template)), dim=-1)


def adapt_features(
    backbone: TextBackbone,
    classes: Classes,
    template: str,
    features: Tensor,
    labels: np.ndarray,
    digests: Sequence[bytes],
    shots: int,
    seeds: Sequence[int] = SEEDS,
) -> Adaptation:
    """Adapt to images of which all, some or none have labels, and keep the better model.

    Without labels, the prompts are tuned on zero-shot predictions, and are always kept, because
    nothing can judge them. With labels, they are tuned on these, and kept if the gain in held-out
    accuracy is more than chance explains.

    Parameters
    ----------
    features : (N, D), on the backbone's device
    labels : (N), `UNLABELLED` for images without a label
    digests : N, of the files; copies of a file stay in one fold
    shots : images per class that a prompt is tuned on
    """
    unit = F.normalize(features.float(), dim=-1)
    text = zero_shot_embeddings(backbone, classes, template)
    rows = np.flatnonzero(labels != UNLABELLED)
    if not len(rows):
        return _without_labels(backbone, classes, text, unit, shots, seeds)
    if len(rows) < FEWEST_LABELS:
        raise InputError(
            f"{len(rows)} labelled images are too few to tell whether adapting helps; label "
            f"{FEWEST_LABELS} or more, or give no labels"
        )
    return _with_labels(
        backbone, classes, text, unit, labels, rows, copies(digests)[rows], shots, seeds
    )


def probabilities(features: Tensor, embeddings: Tensor, logit_scale: float) -> np.ndarray:
    """Probabilities (N, C) of features (N, D)."""
    return cosine_logits(features, embeddings, logit_scale).softmax(dim=-1).cpu().numpy()


def _without_labels(
    backbone: TextBackbone,
    classes: Classes,
    text: Tensor,
    unit: Tensor,
    shots: int,
    seeds: Sequence[int],
) -> Adaptation:
    before = probabilities(unit, text, backbone.logit_scale).argmax(axis=1)
    contexts, embeddings = _tuned(
        backbone, classes, unit, before, np.arange(len(unit)), shots, seeds
    )
    after = probabilities(unit, embeddings, backbone.logit_scale).argmax(axis=1)
    return Adaptation(
        kept="robust_upl",
        tried="robust_upl",
        class_embeddings=embeddings,
        zero_shot_embeddings=text,
        contexts=contexts,
        probe_share=0.0,
        labelled=0,
        changed=float((before != after).mean()),
        counts=_counts(classes, {"zero_shot": before, "robust_upl": after}),
    )


def _with_labels(
    backbone: TextBackbone,
    classes: Classes,
    text: Tensor,
    unit: Tensor,
    labels: np.ndarray,
    rows: np.ndarray,
    group: np.ndarray,
    shots: int,
    seeds: Sequence[int],
) -> Adaptation:
    scale, seen, given = backbone.logit_scale, unit[rows], labels[rows]
    fold = _fold_of_first(stratified_folds(given, FOLDS, seed=0), group)
    held_out = np.empty((len(PROBE_SHARES), len(rows), len(classes.names)))
    for number in np.unique(fold):
        inside, outside = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        _, prompt = _tuned(
            backbone, classes, seen, given, inside, shots, seeds[:CROSS_FITTED_SEEDS]
        )
        probe = _probe(prompt, seen[inside], given[inside], scale)
        for position, share in enumerate(PROBE_SHARES):
            blended = blend(prompt, probe, share)
            held_out[position, outside] = probabilities(seen[outside], blended, scale)
    zero_shot = probabilities(seen, text, scale)
    accuracies = (held_out.argmax(axis=2) == given).mean(axis=1)
    best = int(accuracies.argmax())  # among equals, the smallest share of the probe
    share = PROBE_SHARES[best]
    tried = "blend" if share else "prompt"
    gain = accuracy_gain(held_out[best], zero_shot, given)
    contexts, prompt = _tuned(backbone, classes, seen, given, np.arange(len(rows)), shots, seeds)
    embeddings = blend(prompt, _probe(prompt, seen, given, scale), share)
    noise = fit_noise(held_out[best], np.log(np.maximum(zero_shot, 1e-30)), given)
    wins = gain[1] > 0
    before = probabilities(unit, text, scale).argmax(axis=1)
    after = probabilities(unit, embeddings, scale).argmax(axis=1)
    return Adaptation(
        kept=tried if wins else "zero_shot",
        tried=tried,
        class_embeddings=embeddings if wins else text,
        zero_shot_embeddings=text,
        contexts=contexts,
        probe_share=share,
        labelled=len(rows),
        quality={
            "zero_shot": quality(zero_shot, given),
            tried: quality(held_out[best], given),
        },
        gain=gain,
        noise=noise,
        noise_interval=rate_interval(
            held_out[best], np.log(np.maximum(zero_shot, 1e-30)), given, noise
        ),
        changed=float((before != after).mean()),
        counts=_counts(classes, {"labelled": given, "zero_shot": before, tried: after}),
    )


def blend(prompt: Tensor, probe: Tensor, share: float) -> Tensor:
    """Unit class embeddings (C, D), a mixture of a prompt's and a probe's."""
    return F.normalize((1 - share) * prompt + share * probe, dim=-1)


def _tuned(
    backbone: TextBackbone,
    classes: Classes,
    features: Tensor,
    labels: np.ndarray,
    rows: np.ndarray,
    shots: int,
    seeds: Sequence[int],
) -> tuple[Tensor, Tensor]:
    """Tune prompts: contexts (R, M, W) and the ensemble's unit class embeddings (C, D)."""
    no_rows = np.array([], dtype=np.int64)
    plans = [RunPlan(seed, draw_per_class(labels, rows, shots, seed, 0), no_rows) for seed in seeds]
    contexts, embeddings = train(backbone, classes, features, labels, plans)
    return contexts, ensembled(embeddings)


def _probe(prompt: Tensor, features: Tensor, labels: np.ndarray, scale: float) -> Tensor:
    """Train a probe that starts at the prompt with the GCE; unit class embeddings (C, D)."""
    targets = torch.from_numpy(labels).to(features.device)
    base = scale * features @ prompt.T
    weights, gain = fit_residual(features, base, lambda logits: robust_loss(logits, targets))
    return F.normalize(gain * scale * prompt.double() + weights, dim=-1).float()


def _fold_of_first(fold: np.ndarray, group: np.ndarray) -> np.ndarray:
    """The folds, after putting every image into the fold of the first of its copies."""
    return pd.Series(fold).groupby(group).transform("first").to_numpy()


def _counts(classes: Classes, assigned: dict[str, np.ndarray]) -> pd.DataFrame:
    """How many images every class has, by the labels and by each model's predictions."""
    size = len(classes.names)
    counted = {name: np.bincount(numbers, minlength=size) for name, numbers in assigned.items()}
    return pd.DataFrame({"class": classes.names, **counted})
