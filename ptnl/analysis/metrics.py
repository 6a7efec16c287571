"""Reading what a run measured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ptnl.io import damaged, read_json
from ptnl.schemas import RUNS, fault_in

Metrics = Mapping[str, Any]  # of a run, as `read_metrics` gives them

# Arrow type of a column -> what stands for it in JSON.
TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "int64": (int,), "double": (int, float)}


def read_metrics(path: Path) -> dict[str, Any]:
    """Read a run's metrics, which hold everything that its row of the run table needs.

    A file that is damaged, lacks a value or holds an impossible one is an `InputError`.
    """
    metrics: dict[str, Any] = read_json(path, sealed=True)
    for name, kind in RUNS.items():
        if name not in metrics:
            raise damaged(path, f"it lacks {name}")
        if not isinstance(metrics[name], TYPES[kind]) or isinstance(metrics[name], bool):
            raise damaged(path, f"{name} is {metrics[name]!r}")
    if fault := fault_in(pd.DataFrame([metrics])[list(RUNS)], RUNS):
        raise damaged(path, fault)
    return metrics
