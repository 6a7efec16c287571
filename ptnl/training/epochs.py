"""What runs train on in an epoch, step by step; methods that choose it anew build on it.

R runs train side by side on N images each. A plan is asked at the start of every epoch, before
anything moves, so that it can look at what the runs have learnt so far.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ptnl.machine.random_streams import random_stream
from ptnl.training.losses import Loss

# Features (R, B, D) -> logits (R, B, C), with the parameters as they are.
Score = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Step:
    """One step of SGD for R runs."""

    images: Tensor  # (R, B), positions among a run's N images
    # Features (R, B, D) of those images -> the loss of each run (R), logits (R, B, C).
    evaluate: Callable[[Tensor], tuple[Tensor, Tensor]]
    # (R), the runs that take the step; the others keep parameters and momentum. None: all do.
    moves: Tensor | None = None
    # (R, B), which places of the batch hold an image that counts; None: all do.
    counted: Tensor | None = None


@dataclass(frozen=True)
class Epoch:
    """The steps of one epoch, and how it splits the images."""

    steps: Sequence[Step]
    clean: Tensor | None = None  # (R, N), images whose labels are taken as right; None: no split
    # (R, N), the labels that `clean` speaks of, where the method rewrites some; None: those given.
    labels: Tensor | None = None


Plan = Callable[[int], Epoch]  # epoch, from 0
PlanOf = Callable[[Score], Plan]


def permutations(seed: int, samples: int, epochs: int) -> np.ndarray:
    """The order of a run's images (epochs, N). It depends on the seed alone."""
    stream = random_stream("batches", seed)
    return np.stack([stream.permutation(samples) for _ in range(epochs)])


def batch_order(seed: int, samples: int, batch_size: int, epochs: int) -> np.ndarray:
    """Sample indices (epochs, steps, batch): a permutation an epoch, its unfilled rest dropped.

    It depends on the seed alone, so a run meets its batches whatever runs beside it. Fewer samples
    than a batch make one batch (CoOp and PTNL drop the rest only where N >= batch).
    """
    size = min(batch_size, samples)
    steps = samples // size
    order = permutations(seed, samples, epochs)[:, : steps * size]
    return order.reshape(epochs, steps, size)


def shared_batches(seeds: Sequence[int], labels: Tensor, settings: Mapping[str, Any]) -> Tensor:
    """The batches of runs that take equally many steps: images (epochs, steps, R, batch).

    labels : (R, N), for their number and device
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
    """Images (n) in batches (n // size, size); what fills no batch is dropped."""
    return images[: len(images) // size * size].reshape(-1, size)


def side_by_side(sequences: Sequence[np.ndarray], size: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps of runs of different lengths, aligned at their first.

    Parameters
    ----------
    sequences : of each of R runs, its batches (steps, size)

    Returns
    -------
    Images (S, R, size), S the most steps of a run, and whether a run takes a step (S, R). Where it
    does not, its images are 0.
    """
    steps = max(map(len, sequences))
    images = np.zeros((steps, len(sequences), size), dtype=np.int64)
    moves = np.zeros((steps, len(sequences)), dtype=bool)
    for run, batches in enumerate(sequences):
        images[: len(batches), run] = batches
        moves[: len(batches), run] = True
    return images, moves
