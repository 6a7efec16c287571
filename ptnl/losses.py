"""Training losses. Each maps logits and labels to one loss a sample; means are the caller's."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """-log p(label) (paper, Eq. 2). logits (..., C), labels (...) -> (...)."""
    return -F.log_softmax(logits, dim=-1).gather(-1, labels[..., None])[..., 0]


def generalised_cross_entropy(logits: Tensor, labels: Tensor, q: float) -> Tensor:
    """(1 - p(label)^q) / q (Zhang & Sabuncu 2018; paper, Eq. 3). logits (..., C) -> (...).

    Near q = 0 it is the cross-entropy, at q = 1 the mean absolute error (up to a factor). Written
    with log-probabilities, so that a vanishing p neither underflows nor needs an epsilon.
    """
    log_p = F.log_softmax(logits, dim=-1).gather(-1, labels[..., None])[..., 0]
    return -torch.expm1(q * log_p) / q


# Name -> function of a method's hyper-parameters that gives its loss.
LOSSES: dict[str, Callable[[dict], Loss]] = {
    "ce": lambda settings: cross_entropy,
    "gce": lambda settings: (
        lambda logits, labels: generalised_cross_entropy(logits, labels, settings["q"])
    ),
}
