"""The loop that all trainings share: steps, learning rates, checkpoints, lines of progress."""

import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import torch
from batches import Batch
from torch import Tensor, nn
from tqdm import tqdm

from ptnl.io import atomic_path

REPORT_STEPS = 250  # between two lines of progress, after which the state may be saved


class Checkpoint:
    """The state of a training on disk, from which a restart continues with the same numbers."""

    def __init__(self, path: Path, seconds: float, **parts: Any):
        self.path, self.seconds, self.parts = path, seconds, parts
        self.saved = time.monotonic()

    def resume(self) -> int:
        """Restore the saved state, if there is one; the step to continue with."""
        if not self.path.exists():
            return 0
        state = torch.load(self.path, weights_only=True, map_location="cpu")
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        print(f"resumed at step {state['step']}", flush=True)
        return state["step"]

    def save_if_due(self, step: int) -> None:
        """Save the state before step `step`, if the last saved one is old enough."""
        if time.monotonic() - self.saved < self.seconds:
            return
        state = {name: part.state_dict() for name, part in self.parts.items()}
        with atomic_path(self.path, replaces=True) as temporary:
            torch.save({**state, "step": step}, temporary)
        self.saved = time.monotonic()


def train(
    batches: Iterable[Batch],
    first: int,
    steps: int,
    update: Callable[[int, Batch], dict[str, Tensor]],
    stepped: Sequence[Any],
    leaves: Sequence[nn.Parameter],
    checkpoint: Checkpoint,
    describe: Callable[[], str] = str,
) -> None:
    """Run steps `first` to `steps` - 1.

    Parameters
    ----------
    update : (step, batch) -> values to report, by name; the value "loss" is minimised
    stepped : optimisers, then their schedules
    leaves : the trained parameters, whose gradient is clipped to a norm of 1
    describe : further text for the lines of progress
    """
    sums: dict[str, Tensor] = {}
    started, seen, since = time.monotonic(), 0, 0
    progress = tqdm(batches, initial=first, total=steps, disable=None)
    for step, batch in zip(range(first, steps), progress, strict=True):
        torch.manual_seed(int(batch["seed"]))  # for patch dropout
        values = update(step, batch)
        for leaf in leaves:
            leaf.grad = None
        values["loss"].backward()
        nn.utils.clip_grad_norm_(leaves, 1.0, foreach=True)
        for part in stepped:
            part.step()
        sums = {name: sums.get(name, 0) + value.detach() for name, value in values.items()}
        seen, since = seen + len(batch["index"]), since + 1
        if (step + 1) % REPORT_STEPS == 0 or step + 1 == steps:
            means = {name: value.item() / since for name, value in sums.items()}
            if not means["loss"] < float("inf"):
                raise SystemExit(f"step {step + 1}: the mean loss is {means['loss']}")
            rate = seen / (time.monotonic() - started)
            shown = " ".join(f"{name} {value:.3f}" for name, value in means.items())
            print(f"step {step + 1}/{steps} {shown} {describe()} {rate:.0f} drawings/s", flush=True)
            sums, since = {}, 0
            checkpoint.save_if_due(step + 1)
