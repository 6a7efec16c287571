"""The state of a training, kept on disk: a restart goes on from there, with the same numbers."""

import time
from pathlib import Path
from typing import Any

import torch

from ptnl.io import atomic_path

SECONDS = 120  # between two saved states


class Checkpoint:
    """Saves the parts of a training (models, optimisers, schedules) every few minutes."""

    def __init__(self, path: Path, **parts: Any):
        self.path = path
        self.parts = parts
        self.saved = time.monotonic()

    def resume(self) -> int:
        """Set the parts to what was saved, if anything was; the step to go on with."""
        if not self.path.exists():
            return 0
        state = torch.load(self.path, weights_only=True)
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        print(f"resumed at step {state['step']}")
        return state["step"]

    def save_if_due(self, step: int) -> None:
        """Save the state in which `step` is the next, if the last one is a few minutes old."""
        if time.monotonic() - self.saved < SECONDS:
            return
        state = {name: part.state_dict() for name, part in self.parts.items()}
        with atomic_path(self.path, replaces=True) as temporary:
            torch.save({**state, "step": step}, temporary)
        self.saved = time.monotonic()
