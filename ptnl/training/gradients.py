"""Gradient norms of samples with wrong and with right labels (paper, section 4.4, Figure 4)."""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import TypeVar

import torch
from torch import Tensor

from ptnl.training.losses import Loss

SAMPLES_TOGETHER = 16  # samples of each run whose gradients are computed at once

Parameters = TypeVar("Parameters", Tensor, dict[str, Tensor])


def gradient_norms(
    parameters: Parameters,
    class_logits: Callable[[Parameters, Tensor], Tensor],
    features: Tensor,
    labels: Tensor,
    labels_clean: Tensor,
    loss: Loss,
) -> Tensor:
    """Gradient norms (4, R) of wrong and of right labels, with respect to all parameters together.

    The first two rows are norms of sums: of the gradients of all samples with a wrong label, and of
    all with a right one. The last two are means of norms: over single samples of the same two
    kinds. Where training converges, the two sums cancel, so their norms become equal; the means do
    not. A run without samples of a kind has NaN there.

    Every sample is treated as a separate run with a copy of its run's parameters, so one backward
    pass gives the gradients of all.

    Parameters
    ----------
    parameters : (R, ...) learnable parameters of R runs, or several of them by name; not changed
    class_logits : (parameters (X, ...), features (X, B, D)) -> logits (X, B, C), for any number X
    features : (R, N, D), all training samples
    labels, labels_clean : (R, N), what training sees and what is true
    loss : one value per sample
    """
    runs, samples = labels.shape
    named: Mapping[str, Tensor]
    named = parameters if isinstance(parameters, dict) else {"": parameters}
    noisy = labels != labels_clean
    parts = torch.stack([noisy, ~noisy]).to(features.dtype)  # (2, R, N)
    sums: dict[str, Tensor] = {}  # (2, R, numbers of the parameter)
    norms = []
    for together in torch.arange(samples, device=labels.device).split(SAMPLES_TOGETHER):
        copies = {
            name: value.detach().repeat_interleave(len(together), dim=0).requires_grad_()
            for name, value in named.items()
        }
        given = copies if isinstance(parameters, dict) else copies[""]
        logits = class_logits(given, features[:, together].flatten(0, 1)[:, None])
        total = loss(logits, labels[:, together].flatten()[:, None]).sum()
        gradients = torch.autograd.grad(total, list(copies.values()))
        squares = []
        for name, gradient in zip(named, gradients, strict=True):
            own = gradient.unflatten(0, (runs, -1)).flatten(2)  # (R, n, numbers)
            squares.append(own.square().sum(dim=2))
            part = torch.einsum("prn,rnx->prx", parts[..., together], own)
            sums[name] = sums[name] + part if name in sums else part
        norms.append(reduce(torch.add, squares).sqrt())
    of_sums = reduce(torch.add, (value.square().sum(dim=2) for value in sums.values())).sqrt()
    counts = parts.sum(dim=2)
    means = (parts * torch.cat(norms, dim=1)).sum(dim=2) / counts
    return torch.cat([of_sums, means]).where(counts.repeat(2, 1) > 0, torch.nan)
