"""From runs to statistics over seeds. Pure functions of DataFrames."""

from collections.abc import Sequence

import pandas as pd

from ptnl.errors import InputError
from ptnl.schemas import RUN_KEYS, RUNS, SUMMARY

SWEEP_POINT = [key for key in RUN_KEYS if key != "seed"]


def runs_table(metrics: Sequence[dict]) -> pd.DataFrame:
    """One row a run (see `ptnl.schemas.RUNS`), sorted by the run's identity."""
    table = pd.DataFrame([{name: run[name] for name in RUNS} for run in metrics])
    table = table.sort_values(list(RUN_KEYS), ignore_index=True)
    twice = table[table.duplicated(list(RUN_KEYS))]
    if len(twice):
        raise InputError(f"two runs are {tuple(twice.iloc[0][list(RUN_KEYS)])}")
    return table


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean, sample standard deviation and number of runs over seeds (see `ptnl.schemas.SUMMARY`).

    Raises `InputError` where a sweep misses a seed at one of its rates: no silent average.
    """
    for sweep, rows in runs.groupby([key for key in SWEEP_POINT if key != "fp"]):
        seeds = set(rows.seed)
        for fp, at_rate in rows.groupby("fp"):
            missing = sorted(seeds - set(at_rate.seed))
            if missing:
                raise InputError(f"{'/'.join(sweep)}, fp {fp}: no run for the seeds {missing}")
    accuracy = runs.groupby([*SWEEP_POINT, "rate"], as_index=False).accuracy
    summary = accuracy.agg(mean="mean", sd="std", n="count")
    return summary[list(SUMMARY)]
