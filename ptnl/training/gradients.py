"""What wrong and right labels pull at the parameters (paper, section 4.4, Figure 4)."""

from collections.abc import Callable

import torch
from torch import Tensor

from ptnl.training.losses import Loss


def gradient_norms(
    leaves: list[Tensor],
    class_logits: Callable[[Tensor], Tensor],
    features: Tensor,
    labels: Tensor,
    labels_clean: Tensor,
    loss: Loss,
) -> Tensor:
    """Norms (2, R) of the loss gradient summed over the noisy samples and over the clean ones.

    Of R runs at once, with respect to all their parameters together; NaN where a run has no sample
    of that kind. The parameters' own gradients are left as they are.

    Parameters
    ----------
    leaves : the learnable parameters, (R, ...) each
    class_logits : features (R, N, D) -> logits (R, N, C), with the parameters as they are
    features : (R, N, D), all training samples
    labels, labels_clean : (R, N), what training sees and what is true
    loss : one value a sample
    """
    per_sample = loss(class_logits(features), labels)  # (R, N)
    noisy = labels != labels_clean
    norms = []
    for part, last in ((noisy, False), (~noisy, True)):
        # The runs share no parameter: the gradient of the sum over runs holds each run's own.
        gradients = torch.autograd.grad((per_sample * part).sum(), leaves, retain_graph=not last)
        norm = torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).norm(dim=0)
        norms.append(norm.where(part.any(dim=1), torch.nan))
    return torch.stack(norms)
