"""Two estimates of an image's class from other images: nearest neighbours, and a classifier.

Both learn from soft labels (N, C), and neither uses the label of the image that it judges.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ptnl.training.lbfgs import minimise

NEIGHBOURS = 10  # as in SimiFeat (Zhu et al. 2022)
SMOOTHING = 0.1  # votes added to every class, so that no logarithm is infinite
BLOCK_BYTES = 2**27  # memory for similarities that are computed at once
# Inverse strength of the L2 penalty on unit features. CLIP's published probe has 0.316 on features
# of norm 10, which is about the same.
INVERSE_PENALTY = 30.0
MAX_ITERATIONS, GRADIENT_TOLERANCE = 100, 1e-5


def nearest_neighbours(unit: Tensor, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest other images by cosine similarity: positions and similarities (N, count).

    unit : normalised features (N, D); N is larger than `count`
    """
    step = max(1, BLOCK_BYTES // (len(unit) * unit.element_size()))
    similarities, positions = [], []
    for first in range(0, len(unit), step):
        block = unit[first : first + step] @ unit.T
        rows = torch.arange(len(block), device=unit.device)
        block[rows, first + rows] = -torch.inf
        top = block.topk(count, dim=1)
        similarities.append(top.values.cpu())
        positions.append(top.indices.cpu())
    return torch.cat(positions).numpy(), torch.cat(similarities).numpy()


def neighbour_votes(neighbours: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Shares (N, C) of the votes that each image's neighbours (N, k) give to the classes."""
    votes = np.full(targets.shape, SMOOTHING)
    for column in neighbours.T:
        votes += targets[column]
    shares: np.ndarray = votes / votes.sum(axis=1, keepdims=True)
    return shares


def fit_residual(
    features: Tensor, base: Tensor, loss: Callable[[Tensor], Tensor]
) -> tuple[Tensor, float]:
    """Fit the classifier gain * base + features @ weights.T; weights (C, D), and the gain.

    It starts at the predictions by class names (`base`, with gain 1). An L2 penalty keeps it near
    them unless the images contradict, so it is a linear probe whose prior is the prompt.

    Parameters
    ----------
    features : unit features (N, D)
    base : logits (N, C)
    loss : logits (N, C) -> losses (N)
    """
    features, base = features.double(), base.double()
    (images, classes), width = base.shape, features.shape[1]

    def objective(point: Tensor) -> Tensor:
        weights, gain = point[0, :-1].view(classes, width), point[0, -1]
        losses = loss(gain * base + features @ weights.T)
        penalty = weights.square().sum() / (2 * INVERSE_PENALTY * images)
        return (losses.mean() + penalty)[None]

    start = base.new_zeros(1, classes * width + 1)
    start[0, -1] = 1
    (point,), _ = minimise(objective, start, (), MAX_ITERATIONS, GRADIENT_TOLERANCE)
    return point[:-1].view(classes, width), float(point[-1])


def soft_cross_entropy(targets: Tensor) -> Callable[[Tensor], Tensor]:
    """The cross-entropy with soft labels (N, C)."""
    return lambda logits: -(targets * logits.log_softmax(dim=-1)).sum(dim=-1)


def cross_fitted_residual(
    features: Tensor, base: Tensor, targets: Tensor, fold: np.ndarray
) -> np.ndarray:
    """Log-probabilities (N, C); those of an image are from a classifier fitted on other folds."""
    judged = torch.empty_like(base, dtype=torch.float64)
    for number in np.unique(fold):
        seen = torch.from_numpy(fold != number).to(base.device)
        weights, gain = fit_residual(
            features[seen], base[seen], soft_cross_entropy(targets[seen].double())
        )
        judged[~seen] = gain * base[~seen].double() + features[~seen].double() @ weights.T
    return judged.log_softmax(dim=-1).cpu().numpy()
