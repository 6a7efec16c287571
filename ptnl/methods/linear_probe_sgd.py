"""A linear probe trained as prompts are, by SGD: the yardstick of the gradient study (Figure 4).

Weights and biases on the image features as they come, like the probe by L-BFGS (`linear_probe`),
from zero. Only the solver differs: its steps have the gradients that Figure 4 compares.
"""

import torch

from ptnl.training.tuning import SweepData, TunedRun, train_sweep


def class_logits(weights: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """Logits (R, B, C) of features (R, B, D); the last of the weights (R, C, D + 1) are biases."""
    return features @ weights[..., :-1].transpose(-1, -2) + weights[..., None, :, -1]


def tune(sweep: SweepData) -> list[TunedRun]:
    """Train one classifier (C, D + 1) a run."""
    runs, _, dimensions = sweep.features.shape
    weights = torch.zeros(
        runs, len(sweep.class_names), dimensions + 1, device=sweep.backbone.device
    ).requires_grad_()
    histories = train_sweep(sweep, weights, class_logits)
    with torch.inference_mode():
        logits = class_logits(weights, sweep.test_features)
    return [
        TunedRun(
            {"weight": weights[run, :, :-1].detach(), "bias": weights[run, :, -1].detach()},
            history,
            logits[run],
        )
        for run, history in enumerate(histories)
    ]
