"""JoAPR (Guo & Gu, CVPR 2024): a mixture of losses splits the images, and labels are refined.

Its code (yunncheng/JoAPR at ffe5fdb) is followed except for three things. To weight a label, the
code multiplies the mixture's posterior of one image with the probability of another, because their
orders differ; here both are of the same image. Its first threshold uses variances where the formula
has standard deviations. And it mixes pairs of images with a weight drawn from Beta(0.001, 0.001),
which is further than a hundredth from 0 and 1 in one of two hundred steps; here images are not
mixed.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ptnl.methods.prompt import train_context
from ptnl.training.epochs import Epoch, Plan, Score, Step, permutations, side_by_side, whole_batches
from ptnl.training.losses import cross_entropy
from ptnl.training.mixture import Mixture, fit_mixture
from ptnl.training.tuning import SweepData, TunedRun

EPOCHS_AVERAGED = 5  # of the losses that the mixture is fitted to


def tune(sweep: SweepData) -> list[TunedRun]:
    """Train one context (M, W) per run."""
    return train_context(sweep, lambda score: plan_of(sweep, score))


def plan_of(sweep: SweepData, score: Score) -> Plan:
    """Warm up on all images; then split them in every epoch and train on both parts."""
    settings = sweep.settings
    samples, epochs = sweep.labels.shape[1], settings["epochs"]
    order = [permutations(seed, samples, epochs) for seed in sweep.seeds]
    size = min(settings["batch_size"], samples)
    splitter = Splitter(len(sweep.class_names))

    def plan(epoch: int) -> Epoch:
        now = [images[epoch] for images in order]
        if epoch < settings["split_after"]:
            return Epoch(_warm_up(now, size, sweep, score))
        split = splitter.split(score(sweep.features), sweep.labels)
        return Epoch(_train(now, size, split, sweep, score), split.clean)

    return plan


@dataclass(frozen=True)
class Split:
    """How an epoch splits the N images of R runs."""

    clean: Tensor  # (R, N), whether a label is taken as right
    weight: Tensor  # (R, N), how far a label that is taken as right is trusted


class Splitter:
    """Splits images by their losses, which it averages over epochs."""

    def __init__(self, classes: int):
        self._classes = classes
        self._losses: list[Tensor] = []
        self._threshold: Tensor | None = None  # (R, 1), of the posterior

    def split(self, logits: Tensor, labels: Tensor) -> Split:
        """Split the images by an epoch's logits (R, N, C) under the test transform."""
        log_p = logits.double().log_softmax(dim=-1)
        entropy = -(log_p.exp() * log_p).sum(dim=-1)
        losses = cross_entropy(logits.double(), labels) + entropy
        low, high = losses.amin(dim=1, keepdim=True), losses.amax(dim=1, keepdim=True)
        self._losses = [*self._losses, (losses - low) / (high - low)][-EPOCHS_AVERAGED:]
        mean = torch.stack(self._losses).mean(dim=0)
        mixture = fit_mixture(mean)
        posterior = mixture.posterior(mean)
        is_first = self._threshold is None
        before = 0.5 if self._threshold is None else self._threshold
        # The new threshold is the share of images that the posterior takes as noisy. It is used
        # for this epoch's split already.
        self._threshold = 1 - (posterior > before).double().mean(dim=1, keepdim=True)
        clean = (mean < crossing(mixture)[:, None]) | (posterior > self._threshold)
        of_label = log_p.exp().gather(-1, labels[..., None])[..., 0]
        weight = posterior if is_first else posterior * of_label
        return Split(clean, weight.to(logits.dtype))


def crossing(mixture: Mixture) -> Tensor:
    """Where the first component's density is twice the second's (R); NaN if it never is.

    The densities are taken without their weights. Of the two roots, it is the one with the plus
    sign, as in the code.
    """
    (m1, m2), (v1, v2) = mixture.means.T, mixture.variances.T
    a = v2 - v1
    b = 2 * (m2 * v1 - m1 * v2)
    c = m1**2 * v2 - m2**2 * v1 + 2 * v1 * v2 * (2 * (v1 / v2).sqrt()).log()
    root: Tensor = (-b + (b**2 - 4 * a * c).sqrt()) / (2 * a)
    return root


def sharpen(p: Tensor, exponent: float) -> Tensor:
    """Raise probabilities (..., C) to a power, and scale them to sum to one again."""
    powers = p**exponent
    return powers / powers.sum(dim=-1, keepdim=True)


def _warm_up(order: list[np.ndarray], size: int, sweep: SweepData, score: Score) -> list[Step]:
    """Steps on all images, with the CE and a reward for entropy."""
    images, _ = side_by_side([whole_batches(shuffled, size) for shuffled in order], size)
    alpha = sweep.settings["alpha1"]

    def step(batch: Tensor) -> Step:
        seen = sweep.labels.gather(1, batch)

        def evaluate(features: Tensor) -> tuple[Tensor, Tensor]:
            logits = score(features)
            log_p = logits.log_softmax(dim=-1)
            negative_entropy = (log_p.exp() * log_p).sum(dim=-1)
            return (cross_entropy(logits, seen) + alpha * negative_entropy).mean(dim=1), logits

        return Step(batch, evaluate)

    return [step(batch) for batch in torch.from_numpy(images).to(sweep.labels.device)]


def _train(
    order: list[np.ndarray], size: int, split: Split, sweep: SweepData, score: Score
) -> list[Step]:
    """Steps that each take a batch of clean images and one of the others, with refined labels."""
    clean = split.clean.cpu().numpy()
    batches = []
    for run, shuffled in enumerate(order):
        parts = [shuffled[clean[run][shuffled] == is_clean] for is_clean in (True, False)]
        of_parts = [_cycle(part, size) for part in parts]
        steps = max(map(len, of_parts))
        # The shorter part starts again until the longer one ends; -1 marks an empty place.
        both = [
            part[np.arange(steps) % len(part)] if len(part) else np.full((steps, size), -1)
            for part in of_parts
        ]
        batches.append(np.concatenate(both, axis=1))
    device = sweep.labels.device
    images, moves = (torch.from_numpy(both).to(device) for both in side_by_side(batches, 2 * size))
    every = moves.all(dim=1).tolist()
    return [
        _step(images[at], None if every[at] else moves[at], split, sweep, score)
        for at in range(len(images))
    ]


def _cycle(part: np.ndarray, size: int) -> np.ndarray:
    """The batches (steps, size) of a part; a part smaller than a batch is filled up with -1."""
    if 0 < len(part) < size:
        return np.pad(part, (0, size - len(part)), constant_values=-1)[None]
    return whole_batches(part, size)


def _step(
    images: Tensor, moves: Tensor | None, split: Split, sweep: SweepData, score: Score
) -> Step:
    exponent, alpha = sweep.settings["sharpening"], sweep.settings["alpha2"]
    is_image = images >= 0
    images = images.clamp(min=0)
    labels = F.one_hot(sweep.labels.gather(1, images), len(sweep.class_names))
    # Labels of the noisy part are not used: their weight is zero.
    weight = (split.weight.gather(1, images) * split.clean.gather(1, images))[..., None]
    share = is_image / is_image.sum(dim=1, keepdim=True)  # (R, B), weights of a mean over images

    def evaluate(features: Tensor) -> tuple[Tensor, Tensor]:
        logits = score(features)
        log_p = logits.log_softmax(dim=-1)
        p = log_p.exp()
        refined = weight * labels + (1 - weight) * p.detach()
        targets = sharpen(refined, exponent)
        soft = -((targets * log_p).sum(dim=-1) * share).sum(dim=1)
        mean_p = (p * share[..., None]).sum(dim=1)  # (R, C)
        uniform = 1 / mean_p.shape[1]
        prior = (uniform * (uniform / mean_p).log()).sum(dim=1)
        return soft + alpha * prior, logits

    return Step(images, evaluate, moves, is_image)
