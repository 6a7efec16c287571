"""Training losses. Each maps logits and labels to one loss a sample; means are the caller's.

All are written with log-probabilities, so that a vanishing p neither underflows nor needs an
epsilon: at the ends of CLIP's scale, logits of -100 and 100, losses and gradients are finite.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]

LOG_ZERO = math.log(1e-4)  # stands for log 0 in the reverse cross-entropy


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

    Near q = 0 it is the cross-entropy, at q = 1 the mean absolute error. p_epsilon is added to
    p(label) first, as PTNL's code does; a label that is all but excluded then pulls less.
    """
    log_p = _log_p(logits, labels)
    if p_epsilon:
        log_p = torch.logaddexp(log_p, log_p.new_tensor(math.log(p_epsilon)))
    return -torch.expm1(q * log_p) / q


def mean_absolute_error(logits: Tensor, labels: Tensor) -> Tensor:
    """MAE: 1 - p(label) (Ghosh et al. 2017). logits (..., C), labels (...) -> (...).

    That is half the L1 distance between p and the one-hot label.
    It is the generalised cross-entropy with q = 1, as NLPrompt has it (Pan et al. 2025).
    """
    return generalised_cross_entropy(logits, labels, 1.0)


def reverse_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """RCE: -sum_k p_k log onehot_k (Wang et al. 2019). logits (..., C), labels (...) -> (...).

    The logarithm of the one-hot's zeros is that of 1e-4, as in the authors' code; what remains is
    -log(1e-4) (1 - p(label)). Their second clip, of p at 1e-7, guards nothing in this form and is
    left out.
    """
    return -LOG_ZERO * mean_absolute_error(logits, labels)


def normalised_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """NCE: log p(label) / sum_k log p_k (Ma et al. 2020). logits (..., C) -> (...) in [0, 1]."""
    log_p = F.log_softmax(logits, dim=-1)
    of_label = log_p.gather(-1, labels[..., None])[..., 0]
    # The mean and not the sum: a sum over 1,000 classes can leave float16's range.
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

    Its gradient with respect to the logits is J (softmax(p) - onehot), J = diag(p) - p p', and
    vanishes where p is sure of any class: a label that confidently contradicts it stops pulling.
    """
    return cross_entropy(logits.softmax(dim=-1), labels)


# Name -> function of a method's hyper-parameters that gives its loss.
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
