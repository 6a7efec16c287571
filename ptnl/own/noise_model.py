"""How labels go wrong: at random, or to the class that an image is most easily taken for. Pure.

Given what is believed of the images' true classes (N, C), each given label is one of three things:
right, with probability `right`; drawn uniformly from the other classes, with probability `uniform`;
or drawn from the classes that the image resembles, with probability `confused`. The three shares
are estimated from the labels themselves, by maximum likelihood. Nothing knows which labels are
wrong.
"""

from dataclasses import dataclass

import numpy as np

from ptnl.machine.random_streams import random_stream

# How sharply wrong labels favour the most similar class; the likelihood chooses. 1: in proportion
# to the probabilities.
SHARPNESSES = (1.0, 2.0, 4.0)
STEPS = 200  # of the EM algorithm for three shares
RESAMPLED_STEPS = 30  # where it starts at the shares of the whole
BOOTSTRAPS = 200
TINY = 1e-12


@dataclass(frozen=True)
class LabelNoise:
    """The shares of labels by kind; they sum to one."""

    right: float
    uniform: float
    confused: float
    sharpness: float

    @property
    def rate(self) -> float:
        """The share of wrong labels."""
        return self.uniform + self.confused


def confusions(resemblance: np.ndarray, labels: np.ndarray, sharpness: float) -> np.ndarray:
    """Probability (N, C) that an image of class c that is taken for another gets its given label.

    resemblance : log-probabilities (N, C) of what the images look like
    """
    rows = np.arange(len(labels))
    sharpened = sharpness * resemblance
    sharpened = np.exp(sharpened - sharpened.max(axis=1, keepdims=True))
    shares = sharpened / sharpened.sum(axis=1, keepdims=True)
    others = np.maximum(1 - shares, TINY)  # what is left to all classes but c
    taken = np.minimum(shares[rows, labels][:, None] / others, 1)
    taken[rows, labels] = 0
    return np.asarray(taken)


def _parts(beliefs: np.ndarray, taken: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Likelihoods (N, 3) of the given labels, were all right, all uniform, or all confused."""
    right = beliefs[np.arange(len(labels)), labels]
    uniform = (1 - right) / (beliefs.shape[1] - 1)
    return np.stack([right, uniform, (beliefs * taken).sum(axis=1)], axis=1)


def _shares(
    parts: np.ndarray, weights: np.ndarray, start: np.ndarray, steps: int = STEPS
) -> np.ndarray:
    shares = start
    for _ in range(steps):
        responsible = parts * shares
        responsible /= np.maximum(responsible.sum(axis=1, keepdims=True), TINY)
        shares = weights @ responsible / weights.sum()
    return shares


def fit_noise(beliefs: np.ndarray, resemblance: np.ndarray, labels: np.ndarray) -> LabelNoise:
    """The noise that explains the given labels (N) best."""
    best: LabelNoise | None = None
    best_likelihood = -np.inf
    for sharpness in SHARPNESSES:
        parts = _parts(beliefs, confusions(resemblance, labels, sharpness), labels)
        shares = _shares(parts, np.ones(len(labels)), np.array([0.8, 0.1, 0.1]))
        likelihood = np.log(np.maximum(parts @ shares, TINY)).sum()
        if likelihood > best_likelihood:
            right, uniform, confused = shares.tolist()
            best = LabelNoise(right, uniform, confused, sharpness)
            best_likelihood = likelihood
    assert best is not None  # any likelihood is above -inf
    return best


def label_likelihoods(noise: LabelNoise, resemblance: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Probability (N, C) of each given label, were c the image's true class."""
    classes = resemblance.shape[1]
    taken = confusions(resemblance, labels, noise.sharpness)
    likelihood = noise.uniform / (classes - 1) + noise.confused * taken
    likelihood[np.arange(len(labels)), labels] = noise.right
    return np.asarray(likelihood)


def posteriors(beliefs: np.ndarray, likelihoods: np.ndarray) -> np.ndarray:
    """Probabilities (N, C) of the true classes, the given labels considered."""
    joint = beliefs * likelihoods
    return np.asarray(joint / np.maximum(joint.sum(axis=1, keepdims=True), TINY))


def rate_interval(
    beliefs: np.ndarray, resemblance: np.ndarray, labels: np.ndarray, noise: LabelNoise
) -> tuple[float, float]:
    """95 % interval of the share of wrong labels, over resampled images.

    It holds what the sample leaves open, and not what the model of the noise may have wrong.
    """
    parts = _parts(beliefs, confusions(resemblance, labels, noise.sharpness), labels)
    start = np.maximum([noise.right, noise.uniform, noise.confused], 1e-3)
    stream, images, rates = random_stream("own_noise_rate", 0), len(labels), []
    for _ in range(BOOTSTRAPS):
        drawn = np.bincount(stream.integers(images, size=images), minlength=images)
        shares = _shares(parts, drawn.astype(float), start / start.sum(), RESAMPLED_STEPS)
        rates.append(1 - shares[0])
    low, high = np.quantile(rates, [0.025, 0.975])
    return float(low), float(high)
