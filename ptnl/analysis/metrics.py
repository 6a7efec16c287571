"""Reading what a run measured."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ptnl.io import damaged, read_json
from ptnl.schemas import RUNS, fault_in

Metrics = Mapping[str, Any]  # of a run, as `read_metrics` gives them

# Arrow type of a column -> what stands for it in JSON.
TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "int64": (int,), "double": (int, float)}


def read_metrics(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Read the metrics of runs, which hold everything that rows of the run table need.

    A file that is damaged, lacks a value or holds an impossible one is an `InputError`.
    """
    runs = [_of_right_types(path) for path in paths]
    # One table is checked much faster than a table for every run.
    if runs and fault_in(pd.DataFrame(runs)[list(RUNS)], RUNS):
        for path, metrics in zip(paths, runs, strict=True):
            if fault := fault_in(pd.DataFrame([metrics])[list(RUNS)], RUNS):
                raise damaged(path, fault)
    return runs


def _of_right_types(path: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = read_json(path, sealed=True)
    for name, kind in RUNS.items():
        if name not in metrics:
            raise damaged(path, f"it lacks {name}")
        if not isinstance(metrics[name], TYPES[kind]) or isinstance(metrics[name], bool):
            raise damaged(path, f"{name} is {metrics[name]!r}")
    return metrics
