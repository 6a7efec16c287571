"""Training losses. Each maps logits and labels to one loss per sample; callers take the mean.

All are written with log-probabilities, so a very small p neither underflows nor needs an epsilon:
for logits of -100 and 100, the ends of CLIP's scale, losses and gradients are finite.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]

LOG_ZERO = math.log(1e-4)  # replaces log 0 in the reverse cross-entropy


def _log_p(logits: Tensor, labels: Tensor) -> Tensor:
    """Logarithm of p(label). logits (..., C), labels (...) -> (...)."""
    return F.log_softmax(logits, dim=-1).gather(-1, labels[..., None])[..., 0]


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """-log p(label) (paper, Eq. 2). logits (..., C), labels (...) -> (...)."""
    return -_log_p(logits, labels)


def generalised_cross_entropy(
    logits: Tensor, labels: Tensor, q: float, p_epsilon: float = 0.0
) -> Tensor:
    """(1 - p(label)^q) / q (Zhang & Sabuncu 2018; paper, Eq. 3). logits (..., C) -> (...).

    It approaches the cross-entropy for q -> 0, and is the mean absolute error for q = 1. p_epsilon
    is added to p(label) first, as in PTNL's code; this limits the gradient of very improbable
    labels.
    """
    log_p = _log_p(logits, labels)
    if p_epsilon:
        log_p = torch.logaddexp(log_p, log_p.new_tensor(math.log(p_epsilon)))
    return -torch.expm1(q * log_p) / q


def mean_absolute_error(logits: Tensor, labels: Tensor) -> Tensor:
    """MAE: 1 - p(label) (Ghosh et al. 2017). logits (..., C), labels (...) -> (...).

    This is half the L1 distance between p and the one-hot label, and the generalised cross-entropy
    with q = 1, as in NLPrompt (Pan et al. 2025).
    """
    return generalised_cross_entropy(logits, labels, 1.0)


def reverse_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """RCE: -sum_k p_k log onehot_k (Wang et al. 2019). logits (..., C), labels (...) -> (...).

    As in the authors' code, zeros of the one-hot label are 1e-4 in the logarithm, which leaves
    -log(1e-4) (1 - p(label)). Their code also clips p at 1e-7, which has no purpose in this form.
    """
    return -LOG_ZERO * mean_absolute_error(logits, labels)


def normalised_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """NCE: log p(label) / sum_k log p_k (Ma et al. 2020). logits (..., C) -> (...) in [0, 1]."""
    log_p = F.log_softmax(logits, dim=-1)
    of_label = log_p.gather(-1, labels[..., None])[..., 0]
    # It divides by the mean, because a sum over 1,000 classes can leave float16's range.
    return of_label / log_p.mean(dim=-1) / logits.shape[-1]


def symmetric_cross_entropy(logits: Tensor, labels: Tensor, alpha: float, beta: float) -> Tensor:
    """SCE: alpha CE + beta RCE (Wang et al. 2019; paper, Figure 9). logits (..., C) -> (...)."""
    return alpha * cross_entropy(logits, labels) + beta * reverse_cross_entropy(logits, labels)


def normalised_and_reverse_cross_entropy(
    logits: Tensor, labels: Tensor, alpha: float, beta: float
) -> Tensor:
    """NCE+RCE: alpha NCE + beta RCE (Ma et al. 2020; paper, Figure 9). (..., C) -> (...)."""
    active, passive = normalised_cross_entropy, reverse_cross_entropy
    return alpha * active(logits, labels) + beta * passive(logits, labels)


def double_softmax_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """-log softmax(p)(label), p = softmax(logits) (DSPT 2026). logits (..., C) -> (...).

    Its gradient with respect to the logits is J (softmax(p) - onehot), J = diag(p) - p p'. It
    vanishes if p is sure of any class, so a label that a sure p contradicts has no effect.
    """
    return cross_entropy(logits.softmax(dim=-1), labels)


# Name -> function from a method's hyper-parameters to its loss.
LOSSES: dict[str, Callable[[Mapping[str, Any]], Loss]] = {
    "ce": lambda settings: cross_entropy,
    "gce": lambda settings: (
        lambda logits, labels: generalised_cross_entropy(
            logits, labels, settings["q"], settings["p_epsilon"]
        )
    ),
    "mae": lambda settings: mean_absolute_error,
    "double_softmax": lambda settings: double_softmax_cross_entropy,
    "sce": lambda settings: (
        lambda logits, labels: symmetric_cross_entropy(
            logits, labels, settings["alpha"], settings["beta"]
        )
    ),
    "nce_rce": lambda settings: (
        lambda logits, labels: normalised_and_reverse_cross_entropy(
            logits, labels, settings["alpha"], settings["beta"]
        )
    ),
}
