"""SGD with CoOp's schedule, for many runs at once."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

# torch.optim.SGD calls this function. The class itself imports torch's compiler at its first step,
# which takes longer than many sweeps of small models.
from torch.optim.sgd import sgd
from tqdm import tqdm

from ptnl.errors import InputError
from ptnl.schemas import HISTORY
from ptnl.training.epochs import Epoch, PlanOf, Step, plain_step, shared_batches
from ptnl.training.gradients import Parameters, gradient_norms
from ptnl.training.losses import Loss
from ptnl.training.measured_epochs import measured_epochs
from ptnl.training.steps import COUNTS, ReplayedSteps, evaluated


def learning_rates(
    epochs: int, learning_rate: float, warmup_epochs: int, warmup_learning_rate: float
) -> list[float]:
    """The learning rate of every epoch: constant during warm-up, and then a cosine.

    As in CoOp, with T epochs and one of warm-up, epoch e >= 2 (counted from 1) has
    learning_rate (1 + cos(pi (e - 2) / T)) / 2.
    """
    return [
        warmup_learning_rate
        if epoch < warmup_epochs
        else learning_rate * (1 + math.cos(math.pi * (epoch - warmup_epochs) / epochs)) / 2
        for epoch in range(epochs)
    ]


def train_sgd(
    parameters: Parameters,
    class_logits: Callable[[Parameters, Tensor], Tensor],
    features_at: Callable[[int], Tensor],
    labels: Tensor,
    labels_clean: Tensor,
    seeds: list[int],
    loss: Loss,
    settings: Mapping[str, Any],
    gradients_of: Sequence[int] = (),
    plan_of: PlanOf | None = None,
) -> list[pd.DataFrame]:
    """Train the parameters of R independent runs side by side, in place.

    Runs take their steps together but are independent: the losses are summed over runs, so each
    run's gradient depends only on its own loss, and SGD works element by element.

    Parameters
    ----------
    parameters : (R, ...) leaf tensor that requires gradients, or several of them by name
    class_logits : (parameters, features (R, B, D)) -> logits (R, B, C)
    features_at : epoch, counted from 0 -> features (R, N, D)
    labels, labels_clean : (R, N), what training sees and what is true
    seeds : R seeds of the batch order
    loss : one value per sample
    settings : epochs, batch_size, learning_rate, momentum, weight_decay, warmup_epochs,
        warmup_learning_rate
    gradients_of : positions of the runs whose gradients of wrong and of right labels are measured,
        in the epochs of `ptnl.training.measured_epochs`
    plan_of : chooses what each epoch trains on (see `ptnl.training.epochs`), given a function that
        computes logits with the current parameters; by default, every epoch is a permutation of
        all images with `loss`

    Returns
    -------
    R histories (see `ptnl.schemas.HISTORY`)

    Raises
    ------
    InputError
        A run's loss is no longer finite.
    """
    device = labels.device
    runs = len(labels)
    rates = learning_rates(
        settings["epochs"],
        settings["learning_rate"],
        settings["warmup_epochs"],
        settings["warmup_learning_rate"],
    )

    def score(features: Tensor) -> Tensor:
        return class_logits(parameters, features)

    def step_of(images: Tensor) -> Step:
        return plain_step(images, labels, loss, score)

    def plain_plan() -> Callable[[int], Epoch]:
        ordered = shared_batches(seeds, labels, settings)
        return lambda epoch: Epoch([step_of(images) for images in ordered[epoch]])

    plan = plain_plan() if plan_of is None else plan_of(score)
    leaves = [parameters] if isinstance(parameters, Tensor) else list(parameters.values())
    buffers: list[Tensor | None] = [None] * len(leaves)
    decay = {name: settings[name] for name in ("momentum", "weight_decay")}

    def advance(step: Step, features: Tensor, rate: float) -> Tensor:
        """Take a step; returns what it adds to the tally."""
        gradients, counts = evaluated(step, features, leaves, labels, labels_clean)
        with torch.no_grad():
            still = _Still(leaves, buffers, step.moves)
            sgd(
                leaves,
                gradients,
                buffers,
                lr=rate,
                dampening=0,
                nesterov=False,
                maximize=False,
                **decay,
            )
            still.restore()
        return counts if step.moves is None else counts.where(step.moves, 0)

    # The steps of a plan differ from each other, so they are not recorded and replayed.
    replayed = None
    if device.type == "cuda" and plan_of is None:
        replayed = ReplayedSteps(step_of, leaves, labels, labels_clean, **decay)
    followed = list(gradients_of)
    measured = measured_epochs(settings["epochs"], settings["warmup_epochs"]) if followed else []
    history, taken = [], []
    for epoch, rate in enumerate(tqdm(rates, unit="epoch", disable=None)):
        with torch.no_grad():
            chosen = plan(epoch)
        features = features_at(epoch)
        pulls = torch.full((4, runs), torch.nan, device=device, dtype=torch.float64)
        if epoch in measured:
            pulls[:, followed] = gradient_norms(
                _of_runs(parameters, followed),
                class_logits,
                features[followed],
                labels[followed],
                labels_clean[followed],
                loss,
            ).double()
        if replayed is not None:
            tally = replayed.epoch(chosen.steps, features, rate)
        else:
            tally = torch.zeros(COUNTS, runs, device=device, dtype=torch.float64)
            for step in chosen.steps:
                tally += advance(step, features, rate)
        judged = labels if chosen.labels is None else chosen.labels
        split = _split_row(chosen.clean, judged == labels_clean)
        history.append(torch.cat([_epoch_row(tally), pulls, split]))
        taken.append(tally[-1])
    values, steps = torch.stack(history).cpu().numpy(), torch.stack(taken).cpu().numpy()
    return _histories(values, steps, rates, seeds)


def _of_runs(parameters: Parameters, runs: list[int]) -> Parameters:
    """The parameters of some of the runs."""
    if isinstance(parameters, dict):
        return {name: value[runs] for name, value in parameters.items()}
    return parameters[runs]


class _Still:
    """A copy of parameters and momentum, to restore those of runs that do not take a step."""

    def __init__(self, leaves: list[Tensor], buffers: list[Tensor | None], moves: Tensor | None):
        self._leaves, self._buffers, self._moves = leaves, buffers, moves
        if moves is not None:
            self._before = [leaf.clone() for leaf in leaves]
            self._momentum = [
                torch.zeros_like(leaf) if buffer is None else buffer.clone()
                for leaf, buffer in zip(leaves, buffers, strict=True)
            ]

    def restore(self) -> None:
        """Undo the step for those runs: gradient, momentum and weight decay."""
        if self._moves is None:
            return
        for now, before in (
            *zip(self._leaves, self._before, strict=True),
            *zip(self._buffers, self._momentum, strict=True),
        ):
            if now is not None:  # without momentum, there is no buffer
                now[~self._moves] = before[~self._moves]


def _split_row(taken: Tensor | None, right: Tensor) -> Tensor:
    """Quality of a split (3, R) in percent: share of images taken as clean, precision, recall.

    taken, right : (R, N), images whose label is taken as right (None: no split), or is right
    """
    if taken is None:
        return torch.full((3, len(right)), torch.nan, device=right.device)
    both = (taken & right).sum(dim=1).double()
    return 100 * torch.stack(
        [taken.double().mean(dim=1), both / taken.sum(dim=1), both / right.sum(dim=1)]
    )


def _epoch_row(tally: Tensor) -> Tensor:
    """Means over an epoch (5, R) of loss, three accuracies in percent and gradient norm."""
    loss, right, clean_hits, clean, noisy_hits, noisy, norm, steps = tally
    return torch.stack(
        [
            loss / steps,
            100 * right / steps,
            100 * clean_hits / clean,
            100 * noisy_hits / noisy,
            norm / steps,
        ]
    )


def _histories(
    values: np.ndarray, steps: np.ndarray, rates: list[float], seeds: list[int]
) -> list[pd.DataFrame]:
    """One history per run, from values (epochs, columns, R) and steps taken (epochs, R)."""
    names = [name for name in HISTORY if name not in ("epoch", "learning_rate")]
    frames = []
    for run in range(values.shape[2]):
        frame = pd.DataFrame(values[:, :, run], columns=names)
        # A run without a step in an epoch has no loss there, which does not mean divergence.
        diverged = ~np.isfinite(frame.loss) & (steps[:, run] > 0)
        if diverged.any():
            epoch = int(np.flatnonzero(diverged)[0]) + 1
            raise InputError(
                f"the loss of the run with seed {seeds[run]}, {run + 1} of {len(seeds)} that train "
                f"together, is no longer finite in epoch {epoch}; lower its learning_rate"
            )
        frame.insert(0, "epoch", np.arange(1, len(frame) + 1))
        frame.insert(1, "learning_rate", rates)
        frames.append(frame[list(HISTORY)])
    return frames
