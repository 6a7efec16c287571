"""The steps of an epoch: on which images, with which loss, and for which runs.

R runs train side by side on N images each. A plan gives the steps of an epoch when it starts, so a
method may choose them by what the runs have learnt so far.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ptnl.machine.random_streams import random_stream
from ptnl.training.losses import Loss

# Features (R, B, D) -> logits (R, B, C), with the current parameters.
Score = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Step:
    """One step of SGD for R runs."""

    images: Tensor  # (R, B), their positions among a run's N images
    # Features (R, B, D) of those images -> the loss of each run (R), logits (R, B, C).
    evaluate: Callable[[Tensor], tuple[Tensor, Tensor]]
    # (R), the runs that take the step; the others keep parameters and momentum. None: all take it.
    moves: Tensor | None = None
    # (R, B), which places of the batch hold an image; the others are not counted. None: all do.
    counted: Tensor | None = None


@dataclass(frozen=True)
class Epoch:
    """The steps of one epoch, and how it splits the images."""

    steps: Sequence[Step]
    clean: Tensor | None = None  # (R, N), images whose labels are taken as right; None: no split
    # (R, N), the labels that `clean` is about, if the method rewrites some; None: the given ones.
    labels: Tensor | None = None


Plan = Callable[[int], Epoch]  # epoch, from 0
PlanOf = Callable[[Score], Plan]


def permutations(seed: int, samples: int, epochs: int) -> np.ndarray:
    """The order of a run's images (epochs, N). It depends only on the seed."""
    stream = random_stream("batches", seed)
    return np.stack([stream.permutation(samples) for _ in range(epochs)])


def batch_order(seed: int, samples: int, batch_size: int, epochs: int) -> np.ndarray:
    """Sample indices (epochs, steps, batch): a permutation per epoch, in whole batches.

    Samples that do not fill a batch are left out of the epoch; fewer samples than a batch form one
    batch, as in CoOp and PTNL. The order depends only on the seed, so a run has the same batches
    alone and beside others.
    """
    size = min(batch_size, samples)
    steps = samples // size
    order = permutations(seed, samples, epochs)[:, : steps * size]
    return order.reshape(epochs, steps, size)


def shared_batches(seeds: Sequence[int], labels: Tensor, settings: Mapping[str, Any]) -> Tensor:
    """The batches of runs that all take the same number of steps: (epochs, steps, R, batch).

    labels : (R, N), which give the number of images and the device
    settings : batch_size, epochs
    """
    samples = labels.shape[1]
    order = [
        batch_order(seed, samples, settings["batch_size"], settings["epochs"]) for seed in seeds
    ]
    return torch.from_numpy(np.stack(order, axis=2)).to(labels.device)


def plain_step(images: Tensor, labels: Tensor, loss: Loss, score: Score) -> Step:
    """A step that all runs take, on images (R, B) with the given labels (R, N) and loss."""
    rows = torch.arange(len(labels), device=labels.device)[:, None]

    def evaluate(features: Tensor) -> tuple[Tensor, Tensor]:
        logits = score(features)
        return loss(logits, labels[rows, images]).mean(dim=1), logits

    return Step(images, evaluate)


def whole_batches(images: np.ndarray, size: int) -> np.ndarray:
    """Images (n) in batches (n // size, size); those that do not fill a batch are dropped."""
    return images[: len(images) // size * size].reshape(-1, size)


def side_by_side(sequences: Sequence[np.ndarray], size: int) -> tuple[np.ndarray, np.ndarray]:
    """The batches of runs with different numbers of steps, aligned at the first step.

    Parameters
    ----------
    sequences : the batches (steps, size) of each of R runs

    Returns
    -------
    Images (S, R, size), where S is the largest number of steps, and whether a run takes a step
    (S, R). If it does not, its images are 0.
    """
    steps = max(map(len, sequences))
    images = np.zeros((steps, len(sequences), size), dtype=np.int64)
    moves = np.zeros((steps, len(sequences)), dtype=bool)
    for run, batches in enumerate(sequences):
        images[: len(batches), run] = batches
        moves[: len(batches), run] = True
    return images, moves
