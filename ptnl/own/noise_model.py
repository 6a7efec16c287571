"""A model of wrong labels: they are random, or that of a class which the image resembles. Pure.

Given beliefs about the images' true classes (N, C), each given label is one of three things: right,
with probability `right`; drawn uniformly from the other classes, with probability `uniform`; or
drawn from the classes that the image resembles, with probability `confused`. The three shares are
estimated from the labels themselves, by maximum likelihood, without knowing which labels are wrong.
"""

from dataclasses import dataclass

import numpy as np

from ptnl.machine.random_streams import random_stream

# How strongly confused labels favour the most similar class; the likelihood decides which value is
# used. With 1, they are in proportion to the probabilities.
SHARPNESSES = (1.0, 2.0, 4.0)
STEPS = 200  # of the EM algorithm for the three shares
RESAMPLED_STEPS = 30  # fewer, because resampled images start at the shares of all images
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
    """Probability (N, C) of the given label if the image is of class c and its label is confused.

    resemblance : log-probabilities (N, C) of the classes that the images resemble
    """
    rows = np.arange(len(labels))
    sharpened = sharpness * resemblance
    sharpened = np.exp(sharpened - sharpened.max(axis=1, keepdims=True))
    shares = sharpened / sharpened.sum(axis=1, keepdims=True)
    others = np.maximum(1 - shares, TINY)  # the shares of all classes except c
    taken = np.minimum(shares[rows, labels][:, None] / others, 1)
    taken[rows, labels] = 0
    return np.asarray(taken)


def _parts(beliefs: np.ndarray, taken: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Likelihoods (N, 3) of the given labels if all were right, all uniform, or all confused."""
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
    """Estimate the noise that explains the given labels (N) best."""
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
    """Probability (N, C) of each given label if c is the image's true class."""
    classes = resemblance.shape[1]
    taken = confusions(resemblance, labels, noise.sharpness)
    likelihood = noise.uniform / (classes - 1) + noise.confused * taken
    likelihood[np.arange(len(labels)), labels] = noise.right
    return np.asarray(likelihood)


def posteriors(beliefs: np.ndarray, likelihoods: np.ndarray) -> np.ndarray:
    """Probabilities (N, C) of the true classes, given the labels."""
    joint = beliefs * likelihoods
    return np.asarray(joint / np.maximum(joint.sum(axis=1, keepdims=True), TINY))


def rate_interval(
    beliefs: np.ndarray, resemblance: np.ndarray, labels: np.ndarray, noise: LabelNoise
) -> tuple[float, float]:
    """95 % interval of the share of wrong labels, from resampled images.

    It covers the uncertainty due to sampling, but not errors of the model of the noise.
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
