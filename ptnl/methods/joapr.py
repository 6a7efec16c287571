"""JoAPR (Guo & Gu, CVPR 2024): a mixture of losses splits the images, and labels are refined.

Its code (yunncheng/JoAPR at ffe5fdb) is followed but for three things. Its weight of a label
multiplies the mixture's posterior of one image with the probability of another (they stand in
different orders); here both are of the same image. Its first threshold puts variances where the
formula has standard deviations. And it mixes pairs of images with a weight of Beta(0.001, 0.001),
which differs from one image alone by more than a hundredth in one step of two hundred; images are
not mixed here.
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
    """Train one context (M, W) a run."""
    return train_context(sweep, lambda score: plan_of(sweep, score))


def plan_of(sweep: SweepData, score: Score) -> Plan:
    """Warm up on all images; then, every epoch, split them and train on both parts."""
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
    """What an epoch takes of R runs' N images."""

    clean: Tensor  # (R, N), whether a label is taken as right
    weight: Tensor  # (R, N), how far it is trusted there


class Splitter:
    """Splits images by their losses, which it averages over epochs."""

    def __init__(self, classes: int):
        self._classes = classes
        self._losses: list[Tensor] = []
        self._threshold: Tensor | None = None  # (R, 1), of the posterior

    def split(self, logits: Tensor, labels: Tensor) -> Split:
        """The split of an epoch, of its logits (R, N, C) under the test transform."""
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
        # The share of images that the posterior takes as noisy is the next threshold, this epoch's
        # too.
        self._threshold = 1 - (posterior > before).double().mean(dim=1, keepdim=True)
        clean = (mean < crossing(mixture)[:, None]) | (posterior > self._threshold)
        of_label = log_p.exp().gather(-1, labels[..., None])[..., 0]
        weight = posterior if is_first else posterior * of_label
        return Split(clean, weight.to(logits.dtype))


def crossing(mixture: Mixture) -> Tensor:
    """Where the first component's density is twice the second's (R); NaN where it never is.

    Their weights are left out. The root is the one that the code takes, with the plus sign.
    """
    (m1, m2), (v1, v2) = mixture.means.T, mixture.variances.T
    a = v2 - v1
    b = 2 * (m2 * v1 - m1 * v2)
    c = m1**2 * v2 - m2**2 * v1 + 2 * v1 * v2 * (2 * (v1 / v2).sqrt()).log()
    root: Tensor = (-b + (b**2 - 4 * a * c).sqrt()) / (2 * a)
    return root


def sharpen(p: Tensor, exponent: float) -> Tensor:
    """Probabilities (..., C) to a power, made to sum to one again."""
    powers = p**exponent
    return powers / powers.sum(dim=-1, keepdim=True)


def _warm_up(order: list[np.ndarray], size: int, sweep: SweepData, score: Score) -> list[Step]:
    """CE that rewards entropy, on all images."""
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
    """Steps on a batch of clean images and one of the others, with refined labels."""
    clean = split.clean.cpu().numpy()
    batches = []
    for run, shuffled in enumerate(order):
        parts = [shuffled[clean[run][shuffled] == is_clean] for is_clean in (True, False)]
        of_parts = [_cycle(part, size) for part in parts]
        steps = max(map(len, of_parts))
        # The shorter part starts again until the longer one ends; -1 is an empty place.
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
    """A part's batches (steps, size); fewer images than a batch make one that is not full (-1)."""
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
    # Labels of the noisy part are dropped: their weight is zero.
    weight = (split.weight.gather(1, images) * split.clean.gather(1, images))[..., None]
    share = is_image / is_image.sum(dim=1, keepdim=True)  # (R, B), of the batch's mean

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
