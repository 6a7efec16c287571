"""TransCLIP without labels (Zanella et al., NeurIPS 2024) classifies all images together.

Every class is a Gaussian in feature space, and all share one diagonal covariance. The assignments
of images to classes maximise the likelihood of the features, agree among nearest neighbours and
stay near the zero-shot ones. Constants and the order of updates are taken from its code
(MaxZanella/transduction-for-vlms at 6a9e8f3).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

ROUNDS = 10  # each updates assignments, then means and variances
INNER_ROUNDS = 5  # of assignments in a round, because they depend on those of neighbours
NEIGHBOURS = 3
MOST_CONFIDENT = 8  # images that give the first mean of a class
LIKELIHOOD_WEIGHT = 1 / 50  # of log-likelihoods; neighbours and zero-shot have weight 1


def transduced(
    unit: Tensor, zero_shot: Tensor, likelihood: float = LIKELIHOOD_WEIGHT, neighbours: float = 1.0
) -> Tensor:
    """Assignments (N, C) of unit features (N, D), from zero-shot probabilities (N, C).

    likelihood, neighbours : weights of the Gaussians' log-likelihoods and of the neighbours
    """
    graph = neighbour_graph(unit)
    both_ways = (graph + graph.T) / (2 * NEIGHBOURS)
    mean = _first_means(unit, zero_shot)
    variance = unit.new_full((unit.shape[1],), 1 / unit.shape[1])
    assigned = zero_shot
    for last in [False] * ROUNDS + [True]:
        fit = likelihood * log_likelihoods(unit, mean, variance)
        for _ in range(INNER_ROUNDS):
            pull = fit + neighbours * both_ways @ assigned
            assigned = (zero_shot.log() + pull).softmax(dim=-1)
        if not last:
            mean = F.normalize(assigned.T @ unit, dim=-1)
            variance = _variances(unit, mean, assigned)
    return assigned


def neighbour_graph(unit: Tensor) -> Tensor:
    """Similarity (N, N) of each image to its nearest neighbours, one row each; zero elsewhere."""
    similar = unit @ unit.T
    similar.fill_diagonal_(-torch.inf)
    top = similar.topk(NEIGHBOURS, dim=1)
    return torch.zeros_like(similar).scatter_(1, top.indices, top.values)


def log_likelihoods(unit: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
    """Log-likelihoods (N, C), without the terms that all classes share."""
    scaled = unit / variance
    cross = scaled @ mean.T
    return -0.5 * (
        (scaled * unit).sum(dim=1, keepdim=True) - 2 * cross + (mean**2 / variance).sum(dim=1)
    )


def _first_means(unit: Tensor, zero_shot: Tensor) -> Tensor:
    """Unit means (C, D) of the images of which zero-shot CLIP is most confident."""
    top = zero_shot.topk(min(MOST_CONFIDENT, len(unit)), dim=0)
    return F.normalize((top.values[..., None] * unit[top.indices]).sum(dim=0), dim=-1)


def _variances(unit: Tensor, mean: Tensor, assigned: Tensor) -> Tensor:
    """Variances (D) around the means, weighted by the assignments."""
    squares = assigned.sum(dim=1) @ unit**2
    crossed = ((assigned.T @ unit) * mean).sum(dim=0)
    return (squares - 2 * crossed + assigned.sum(dim=0) @ mean**2) / assigned.sum()
