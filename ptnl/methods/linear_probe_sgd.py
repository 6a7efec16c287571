"""A linear probe trained as prompts are, by SGD: the yardstick of the gradient study (Figure 4).

Like the probe by L-BFGS (`linear_probe`), it has weights and biases on image features that are not
normalised, and starts at zero. Only the solver differs: Figure 4 compares the gradients of its
steps.
"""

from dataclasses import replace

import torch
from torch import Tensor

from ptnl.training.tuning import SweepData, TunedRun, train_sweep


def class_logits(weights: Tensor, features: Tensor) -> Tensor:
    """Logits (R, B, C) of features (R, B, D); the last of the weights (R, C, D + 1) are biases."""
    return features @ weights[..., :-1].transpose(-1, -2) + weights[..., None, :, -1]


def scaled_sweep(sweep: SweepData) -> tuple[SweepData, Tensor]:
    """The sweep with each run's features divided by their root mean square norm, and the norms (R).

    The effect of a step of SGD depends on the norm, which differs from backbone to backbone. After
    the division, one learning rate fits all.
    """
    norms = sweep.features.square().sum(dim=-1).mean(dim=-1).sqrt()
    scale = norms[:, None, None]
    scaled = replace(sweep, features=sweep.features / scale)
    if (views := sweep.views) is not None:
        scaled = replace(scaled, views=lambda epoch: views(epoch) / scale)
    return scaled, norms


def tune(sweep: SweepData) -> list[TunedRun]:
    """Train one classifier (C, D + 1) per run."""
    scaled, norms = scaled_sweep(sweep)
    runs, _, dimensions = sweep.features.shape
    weights = torch.zeros(
        runs, len(sweep.class_names), dimensions + 1, device=sweep.backbone.device
    ).requires_grad_()
    histories = train_sweep(scaled, weights, class_logits)
    weight, bias = weights.detach().split([dimensions, 1], dim=-1)
    weight = weight / norms[:, None, None]  # now for the features before the division
    logits = class_logits(torch.cat([weight, bias], dim=-1), sweep.test_features)
    return [
        TunedRun({"weight": weight[run], "bias": bias[run, :, 0]}, history, logits[run])
        for run, history in enumerate(histories)
    ]
