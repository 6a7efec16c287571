"""Classifier-R and Classifier-C: class embeddings trained directly, without the text encoder.

Like prompt tuning, they score by scaled cosine similarity (Eq. 1). Only what is trained differs:
the class embeddings themselves, "learned without constraints" (paper, section 4.3).
"""

import torch

from ptnl.methods.zero_shot import class_embeddings
from ptnl.training.epochs import PlanOf
from ptnl.training.tuning import SweepData, TunedRun, cosine_logits, initial_normal, train_sweep


def initial_classifier(sweep: SweepData) -> torch.Tensor:
    """Unit class embeddings (R, C, D): random (R), or of the hand-crafted prompts (C)."""
    if sweep.method.start == "text":
        text = class_embeddings(sweep.backbone, sweep.class_names, sweep.template)
        weights = text[None].repeat(len(sweep.seeds), 1, 1)
    else:
        shape = (len(sweep.class_names), sweep.features.shape[-1])
        drawn = [initial_normal("classifier", shape, 1.0, seed) for seed in sweep.seeds]
        weights = torch.stack(drawn)
    return torch.nn.functional.normalize(weights.to(sweep.backbone.device), dim=-1)


def tune(sweep: SweepData) -> list[TunedRun]:
    """Train one classifier (C, D) per run."""
    return train_embeddings(sweep, initial_classifier(sweep))


def train_embeddings(
    sweep: SweepData, weights: torch.Tensor, plan_of: PlanOf | None = None
) -> list[TunedRun]:
    """Train class embeddings (R, C, D) from where they are, in place.

    `plan_of` chooses what each epoch trains on (see `ptnl.training.epochs`).
    """
    scale = sweep.backbone.logit_scale  # read once, because on a GPU a read waits for the device

    def class_logits(weights: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        return cosine_logits(features, weights, scale)

    weights.requires_grad_()
    histories = train_sweep(sweep, weights, class_logits, plan_of=plan_of)
    with torch.inference_mode():
        logits = class_logits(weights, sweep.test_features)  # (R, T, C)
    return [
        TunedRun({"class_embeddings": weights[run].detach()}, history, logits[run])
        for run, history in enumerate(histories)
    ]
