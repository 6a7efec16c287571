"""Gradient norms of samples with wrong and with right labels (paper, section 4.4, Figure 4)."""

from collections.abc import Callable, Mapping
from functools import reduce
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from ptnl.training.losses import Loss

SAMPLES_TOGETHER = 16  # samples of each run whose gradients are computed at once

Parameters = TypeVar("Parameters", Tensor, dict[str, Tensor])


# torch's fused attention has no backward pass for several gradients at once.
@sdpa_kernel(SDPBackend.MATH)
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

    Samples share their run's parameters, so several share a forward pass. The backward passes, one
    for each sample, are computed together.

    Parameters
    ----------
    parameters : (R, ...) learnable parameters of R runs, or several of them by name; not changed
    class_logits : (parameters, features (R, B, D)) -> logits (R, B, C)
    features : (R, N, D), all training samples
    labels, labels_clean : (R, N), what training sees and what is true
    loss : one value per sample
    """
    samples = labels.shape[1]
    named: Mapping[str, Tensor]
    named = parameters if isinstance(parameters, dict) else {"": parameters}
    noisy = labels != labels_clean
    parts = torch.stack([noisy, ~noisy]).to(features.dtype)  # (2, R, N)
    leaves = {name: value.detach().requires_grad_() for name, value in named.items()}
    given = leaves if isinstance(parameters, dict) else leaves[""]
    sums: dict[str, Tensor] = {}  # (2, R, numbers of the parameter)
    norms = []
    for together in torch.arange(samples, device=labels.device).split(SAMPLES_TOGETHER):
        losses = loss(class_logits(given, features[:, together]), labels[:, together])  # (R, n)
        gradients = _of_each_sample(losses, list(leaves.values()))
        squares = []
        for name, gradient in zip(named, gradients, strict=True):
            own = gradient.flatten(2)  # (n, R, numbers)
            squares.append(own.square().sum(dim=2))
            part = torch.einsum("prn,nrx->prx", parts[..., together], own)
            sums[name] = sums[name] + part if name in sums else part
        norms.append(reduce(torch.add, squares).sqrt())
    of_sums = reduce(torch.add, (value.square().sum(dim=2) for value in sums.values())).sqrt()
    counts = parts.sum(dim=2)
    means = (parts * torch.cat(norms).T).sum(dim=2) / counts
    return torch.cat([of_sums, means]).where(counts.repeat(2, 1) > 0, torch.nan)


def _of_each_sample(losses: Tensor, leaves: list[Tensor]) -> tuple[Tensor, ...]:
    """Gradients (n, R, ...) in each leaf (R, ...), of the losses (R, n) of single samples."""
    runs, samples = losses.shape
    chosen = torch.eye(samples, device=losses.device, dtype=losses.dtype)

    def pull(sample: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(losses, leaves, sample.expand(runs, -1), retain_graph=True)

    gradients: tuple[Tensor, ...] = torch.vmap(pull)(chosen)
    return gradients
