"""SGD with CoOp's schedule, over many runs at once."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

# The function behind torch.optim.SGD. The class imports torch's compiler at its first step, which
# takes longer than many a sweep of small models.
from torch.optim.sgd import sgd
from tqdm import tqdm

from ptnl.errors import InputError
from ptnl.machine.random_streams import random_stream
from ptnl.schemas import HISTORY
from ptnl.training.gradients import Parameters, gradient_norms, measured_epochs
from ptnl.training.losses import Loss


def learning_rates(
    epochs: int, learning_rate: float, warmup_epochs: int, warmup_learning_rate: float
) -> list[float]:
    """The rate of every epoch: constant warm-up, then a cosine, stepped once an epoch.

    CoOp's trace: with T epochs and one of warm-up, epoch e >= 2 (from 1) has
    learning_rate (1 + cos(pi (e - 2) / T)) / 2.
    """
    return [
        warmup_learning_rate
        if epoch < warmup_epochs
        else learning_rate * (1 + math.cos(math.pi * (epoch - warmup_epochs) / epochs)) / 2
        for epoch in range(epochs)
    ]


def batch_order(seed: int, samples: int, batch_size: int, epochs: int) -> np.ndarray:
    """Sample indices (epochs, steps, batch): a permutation an epoch, its unfilled rest dropped.

    It depends on the seed alone, so a run meets its batches whatever runs beside it. Fewer samples
    than a batch make one batch (CoOp and PTNL drop the rest only where N >= batch).
    """
    stream = random_stream("batches", seed)
    size = min(batch_size, samples)
    steps = samples // size
    return np.stack(
        [stream.permutation(samples)[: steps * size].reshape(steps, size) for _ in range(epochs)]
    )


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
) -> list[pd.DataFrame]:
    """Train the parameters of R independent runs side by side, in place.

    The runs share the steps and nothing else: the losses are summed over runs, so each run's
    gradient is its own, and SGD works element by element.

    Parameters
    ----------
    parameters : (R, ...) leaf tensor that requires gradients, or several of them by name
    class_logits : (parameters, features (R, B, D)) -> logits (R, B, C)
    features_at : epoch, from 0 -> features (R, N, D)
    labels, labels_clean : (R, N), what training sees and what is true
    seeds : R seeds of the batch order
    loss : one value a sample
    settings : epochs, batch_size, learning_rate, momentum, weight_decay, warmup_epochs,
        warmup_learning_rate
    gradients_of : positions of the runs whose gradients of wrong and of right labels are measured,
        at the epochs of `ptnl.training.gradients.measured_epochs`

    Returns
    -------
    R histories (see `ptnl.schemas.HISTORY`)

    Raises
    ------
    InputError : a run's loss is no longer finite
    """
    device = labels.device
    runs, samples = labels.shape
    rates = learning_rates(
        settings["epochs"],
        settings["learning_rate"],
        settings["warmup_epochs"],
        settings["warmup_learning_rate"],
    )
    order = torch.from_numpy(
        np.stack(
            [
                batch_order(seed, samples, settings["batch_size"], settings["epochs"])
                for seed in seeds
            ],
            axis=2,
        )
    ).to(device)  # (epochs, steps, R, batch)
    rows = torch.arange(runs, device=device)[:, None]
    leaves = [parameters] if isinstance(parameters, Tensor) else list(parameters.values())
    buffers: list[Tensor | None] = [None] * len(leaves)
    followed = list(gradients_of)
    measured = measured_epochs(settings["epochs"], settings["warmup_epochs"]) if followed else []
    history = []
    for epoch, rate in enumerate(tqdm(rates, unit="epoch", disable=None)):
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
        tally = torch.zeros(7, runs, device=device, dtype=torch.float64)
        for batch in order[epoch]:
            seen, true = labels[rows, batch], labels_clean[rows, batch]
            logits = class_logits(parameters, features[rows, batch])
            batch_loss = loss(logits, seen).mean(dim=1)  # (R,)
            gradients = list(torch.autograd.grad(batch_loss.sum(), leaves))
            norm = torch.stack([g.flatten(1).norm(dim=1) for g in gradients]).norm(dim=0)
            with torch.no_grad():
                sgd(
                    leaves,
                    gradients,
                    buffers,
                    lr=rate,
                    momentum=settings["momentum"],
                    weight_decay=settings["weight_decay"],
                    dampening=0,
                    nesterov=False,
                    maximize=False,
                )
            guess, clean = logits.detach().argmax(dim=-1), seen == true
            tally += torch.stack(
                [
                    batch_loss.detach(),
                    (guess == true).float().mean(dim=1),
                    ((guess == seen) & clean).sum(dim=1),
                    clean.sum(dim=1),
                    ((guess == seen) & ~clean).sum(dim=1),
                    (~clean).sum(dim=1),
                    norm,
                ]
            )
        history.append(torch.cat([_epoch_row(tally, len(order[epoch])), pulls]))
    return _histories(torch.stack(history).cpu().numpy(), rates)


def _of_runs(parameters: Parameters, runs: list[int]) -> Parameters:
    """The parameters of some of the runs."""
    if isinstance(parameters, dict):
        return {name: value[runs] for name, value in parameters.items()}
    return parameters[runs]


def _epoch_row(tally: Tensor, steps: int) -> Tensor:
    """Means of an epoch (5, R) from its sums: loss, three accuracies in percent, gradient norm."""
    loss, right, clean_hits, clean, noisy_hits, noisy, norm = tally
    return torch.stack(
        [
            loss / steps,
            100 * right / steps,
            100 * clean_hits / clean,
            100 * noisy_hits / noisy,
            norm / steps,
        ]
    )


def _histories(values: np.ndarray, rates: list[float]) -> list[pd.DataFrame]:
    names = [name for name in HISTORY if name not in ("epoch", "learning_rate")]
    frames = []
    for run in range(values.shape[2]):
        frame = pd.DataFrame(values[:, :, run], columns=names)
        if not np.isfinite(frame.loss).all():
            epoch = int(np.flatnonzero(~np.isfinite(frame.loss))[0]) + 1
            raise InputError(
                f"the loss of run {run + 1} of the sweep is no longer finite in epoch {epoch}; "
                "lower its learning_rate"
            )
        frame.insert(0, "epoch", np.arange(1, len(frame) + 1))
        frame.insert(1, "learning_rate", rates)
        frames.append(frame[list(HISTORY)])
    return frames
