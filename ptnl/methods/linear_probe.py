"""The linear probe: multinomial logistic regression on CLIP's image features, by L-BFGS.

As in CoOp's linear probe, the features are the image embeddings under the test transform, and are
not normalised. With the cross-entropy, the solution is that of scikit-learn's
`LogisticRegression`; with the GCE, penalty and solver are the same, and weights start at zero, too.
The effect of the penalty depends on the features: on features of norm n, C works as C n^2 does on
unit features (`results/<study>/datasets.md` lists both).
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ptnl.errors import InputError
from ptnl.machine.random_streams import random_stream
from ptnl.training.fitted import fitted_histories
from ptnl.training.lbfgs import minimise
from ptnl.training.losses import LOSSES, Loss
from ptnl.training.tuning import SweepData, TunedRun

# The solver stops when no entry of the gradient, in its own coordinates, is larger. Probabilities
# of the embedded study are then within 5e-4 of those at the optimum for C = 1000.
GRADIENT_TOLERANCE = 5e-6


def linear_logits(features: Tensor, weights: Tensor, bias: Tensor) -> Tensor:
    """Logits (R, B, C) of features (R, B, D) or (B, D), weights (R, C, D) and biases (R, C)."""
    return features @ weights.mT + bias[:, None]


def fit(
    features: Tensor, labels: Tensor, classes: int, loss: Loss, c: float, max_iterations: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Minimise c sum(loss) + |W|^2 / 2 over weights and biases, for R runs at once, in float64.

    The solver works in coordinates in which the problem is better conditioned, so it needs fewer
    iterations; the solution is the same. Centring the features only moves the bias, which has no
    penalty. The weights lie in the span of the features, and are expressed by its orthonormal
    principal axes. Each axis and the bias are scaled to a curvature of at most one at zero
    weights, where it is variance / classes. The mean variance is added to that of each axis,
    because along an axis that hardly varies, the penalty decides.

    Parameters
    ----------
    features : (R, N, D)
    labels : (R, N), in [0, classes)
    loss : one value per sample
    c : inverse strength of the penalty
    max_iterations : of each run

    Returns
    -------
    Weights (R, C, D), biases (R, C), and the iterations used (R)
    """
    x = features.double()
    runs, samples, _ = x.shape
    centre = x.mean(dim=1, keepdim=True)
    coordinates, spread, axes = torch.linalg.svd(x - centre, full_matrices=False)
    variance = spread.square() / samples  # (R, K)
    scale = (classes / (variance + variance.mean(dim=1, keepdim=True))).sqrt()
    inputs = coordinates * (spread * scale)[:, None]  # (R, N, K)

    def split(point: Tensor) -> tuple[Tensor, Tensor]:
        weights, bias = point.unflatten(1, (classes, -1)).tensor_split((-1,), dim=2)
        return weights, bias[:, :, 0] * classes**0.5

    def objective(point: Tensor, inputs: Tensor, labels: Tensor, scale: Tensor) -> Tensor:
        weights, bias = split(point)
        penalty = (weights * scale[:, None]).square().sum(dim=(1, 2)) / (2 * c * samples)
        return loss(linear_logits(inputs, weights, bias), labels).mean(dim=1) + penalty

    start = x.new_zeros(runs, classes * (scale.shape[1] + 1))
    point, iterations = minimise(
        objective, start, (inputs, labels, scale), max_iterations, GRADIENT_TOLERANCE
    )
    weights, bias = split(point)
    weights = (weights * scale[:, None]) @ axes
    return weights, bias - (weights @ centre.mT)[:, :, 0], iterations


def in_whole_batches(sweep: SweepData, batch_size: int) -> SweepData:
    """The sweep with only as many shots, drawn at random, as fill whole batches.

    The authors' probe trains on these, because its shuffling loader drops the last batch if it is
    not full. With batch_size 0, or without any full batch, all shots stay.
    """
    samples = sweep.labels.shape[1]
    if not batch_size or samples < batch_size:
        return sweep
    size = samples - samples % batch_size
    drawn = [
        random_stream("whole batches", seed).permutation(samples)[:size] for seed in sweep.seeds
    ]
    kept = torch.tensor(np.sort(drawn), device=sweep.labels.device)  # (R, size)
    rows = torch.arange(len(kept), device=kept.device)[:, None]
    return replace(
        sweep,
        features=sweep.features[rows, kept],
        labels=sweep.labels[rows, kept],
        labels_clean=sweep.labels_clean[rows, kept],
    )


def tune(sweep: SweepData) -> list[TunedRun]:
    """Fit one classifier per run. Its history is one row, whose `epoch` is the iterations."""
    sweep = in_whole_batches(sweep, sweep.settings["drop_last"])
    loss = LOSSES[sweep.method.loss](sweep.settings)
    weights, bias, iterations = fit(
        sweep.features,
        sweep.labels,
        len(sweep.class_names),
        loss,
        sweep.settings["c"],
        sweep.settings["max_iterations"],
    )
    if not (torch.isfinite(weights).all() and torch.isfinite(bias).all()):
        raise InputError("the linear probe diverged; lower its c")
    features = sweep.features.double()
    leaves = weights.requires_grad_(), bias.requires_grad_()
    logits = linear_logits(features, *leaves)
    final = loss(logits, sweep.labels).mean(dim=1)
    by_weight, by_bias = torch.autograd.grad(final.sum(), leaves)
    gradient = (by_weight.square().sum(dim=(1, 2)) + by_bias.square().sum(dim=1)).sqrt()
    weights, bias = weights.detach(), bias.detach()
    test_logits = linear_logits(sweep.test_features.double(), weights, bias).float()

    histories = fitted_histories(
        logits,
        sweep.labels,
        sweep.labels_clean,
        final,
        iterations=iterations,
        gradient_norm=gradient,
    )
    return [
        TunedRun(
            {"weight": weights[run].float(), "bias": bias[run].float()},
            history,
            test_logits[run],
        )
        for run, history in enumerate(histories)
    ]
