"""The probability that each label is right, from prompts, neighbours and a model of the noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy.special import log_softmax
from torch import Tensor

from ptnl.backbones.text import TextBackbone
from ptnl.own.experts import (
    NEIGHBOURS,
    cross_fitted_residual,
    nearest_neighbours,
    neighbour_votes,
)
from ptnl.own.folds import FOLDS, stratified_folds
from ptnl.own.names import Classes
from ptnl.own.noise_model import (
    TINY,
    LabelNoise,
    fit_noise,
    label_likelihoods,
    posteriors,
    rate_interval,
)
from ptnl.own.prompts import cross_fitted
from ptnl.text import encode_texts
from ptnl.training.lbfgs import minimise
from ptnl.training.tuning import cosine_logits

ROUNDS = 3  # in each, labels become distributions from which neighbours and a classifier learn
SEEDS = (1, 2)


@dataclass(frozen=True)
class LabelScores:
    """What is known of N labels. An image's own label enters only `right` and `posterior`."""

    right: np.ndarray  # (N) probability that the given label is right
    posterior: np.ndarray  # (N, C) probabilities of the true class, given the label
    beliefs: np.ndarray  # (N, C) the same without knowing the label
    prompt_margins: np.ndarray  # (N) mean margins of cross-fitted prompts over seeds and epochs
    zero_shot: np.ndarray  # (N, C) log-probabilities
    neighbours: np.ndarray  # (N, k) positions of the nearest images
    similarities: np.ndarray  # (N, k) their cosine similarities
    noise: LabelNoise
    rate_interval: tuple[float, float]  # of the share of wrong labels, 95 %


def score_labels(
    backbone: TextBackbone,
    classes: Classes,
    template: str,
    features: Tensor,
    labels: np.ndarray,
    seeds: Sequence[int] = SEEDS,
) -> LabelScores:
    """Score every given label.

    The first belief about the true classes comes from class names: the mean log-probability of
    zero-shot and of cross-fitted robust prompts. Rounds like those of an EM algorithm follow. The
    shares of right, random and confused labels are estimated (`ptnl.own.noise_model`). Each label
    becomes a distribution over classes. Neighbours and a cross-fitted classifier learn from these
    distributions. Both together are the next belief, with the weights for which the given labels
    are most likely.

    Parameters
    ----------
    features : (N, D), on the backbone's device
    labels : (N), positions among the classes; no image is without a label
    """
    unit = F.normalize(features.float(), dim=-1)
    text = encode_texts(backbone.tower, classes.texts(template))
    zero_shot = _log_probabilities(cosine_logits(unit, text, backbone.logit_scale))
    prompts = cross_fitted(backbone, classes, unit, labels, FOLDS, seeds)
    names = (zero_shot + prompts.log_probabilities) / 2
    base = torch.from_numpy(names).float().to(unit.device)
    fold = stratified_folds(labels, FOLDS, seed=0)
    neighbours, similarities = nearest_neighbours(unit, min(NEIGHBOURS, len(unit) - 1))
    beliefs = np.exp(log_softmax(names, axis=1))
    noise = fit_noise(beliefs, zero_shot, labels)
    for _ in range(ROUNDS):
        likelihoods = label_likelihoods(noise, zero_shot, labels)
        targets = posteriors(beliefs, likelihoods)
        opinions = [
            cross_fitted_residual(unit, base, torch.from_numpy(targets).to(unit.device), fold),
            np.log(neighbour_votes(neighbours, targets)),
        ]
        beliefs = pooled(opinions, likelihoods)
        noise = fit_noise(beliefs, zero_shot, labels)
    posterior = posteriors(beliefs, label_likelihoods(noise, zero_shot, labels))
    return LabelScores(
        right=posterior[np.arange(len(labels)), labels],
        posterior=posterior,
        beliefs=beliefs,
        prompt_margins=prompts.margins,
        zero_shot=zero_shot,
        neighbours=neighbours,
        similarities=similarities,
        noise=noise,
        rate_interval=rate_interval(beliefs, zero_shot, labels, noise),
    )


def pooled(opinions: Sequence[np.ndarray], likelihoods: np.ndarray) -> np.ndarray:
    """Beliefs (N, C) from the weighted sum of log-probabilities (N, C).

    The weights are not negative, and are those for which the given labels are most likely.

    likelihoods : (N, C) probability of each given label if c is the true class
    """
    experts = torch.from_numpy(np.stack(opinions))
    given = torch.from_numpy(likelihoods)

    def objective(point: Tensor) -> Tensor:
        mixed = (point[0, :, None, None] * experts).sum(dim=0).softmax(dim=-1)
        return -(mixed * given).sum(dim=-1).clamp(min=TINY).log().mean()[None]

    start = torch.full((1, len(opinions)), 1 / len(opinions), dtype=torch.float64)
    (weights,), _ = minimise(objective, start, (), max_iterations=100, tolerance=1e-6)
    mixed = (weights.clamp(min=0)[:, None, None] * experts).sum(dim=0)
    opinion: np.ndarray = mixed.softmax(dim=-1).numpy()
    return opinion


def _log_probabilities(logits: Tensor) -> np.ndarray:
    return logits.double().log_softmax(dim=-1).cpu().numpy()
