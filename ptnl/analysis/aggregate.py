"""From runs to statistics over seeds. Pure functions of DataFrames."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ptnl.analysis.metrics import Metrics
from ptnl.errors import InputError
from ptnl.methods import METHODS
from ptnl.schemas import ENSEMBLES, GRADIENTS, RUN_KEYS, RUNS, SPLITS, SUMMARY
from ptnl.study.grid import RANDOM_PROMPT

SWEEP_POINT = [key for key in RUN_KEYS if key != "seed"]


def runs_table(metrics: Sequence[Metrics]) -> pd.DataFrame:
    """One row per run (see `ptnl.schemas.RUNS`), sorted by the run's identity."""
    table = pd.DataFrame([{name: run[name] for name in RUNS} for run in metrics])
    table = table.sort_values(list(RUN_KEYS), ignore_index=True)
    twice = table[table.duplicated(list(RUN_KEYS))]
    if len(twice):
        raise InputError(f"two runs are {tuple(twice.iloc[0][list(RUN_KEYS)])}")
    return table


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """Mean, sample standard deviation and number of runs over seeds (see `ptnl.schemas.SUMMARY`).

    Raises `InputError` where a method that is trained misses a seed that the study has: no silent
    average.
    """
    trained = runs[runs.method.map(lambda name: METHODS[name].is_trained)]
    seeds = set(trained.seed)
    for (*sweep, fp), at_rate in trained.groupby(SWEEP_POINT):
        missing = sorted(seeds - set(at_rate.seed))
        if missing:
            where = "/".join(map(str, sweep))
            raise InputError(f"{where}, fp {fp}: no run for the seeds {missing}")
    summary = runs.groupby([*SWEEP_POINT, "rate"], as_index=False).agg(
        rate_realised=("rate_realised", "mean"),
        mean=("accuracy", "mean"),
        sd=("accuracy", "std"),
        n=("accuracy", "count"),
    )
    return summary[list(SUMMARY)]


def summarise_draws(draws: pd.DataFrame) -> pd.DataFrame:
    """Statistics over random prompts (see `ptnl.schemas.RANDOM_PROMPTS`), as rows of a summary."""
    over = draws.groupby(["dataset", "backbone"], as_index=False).accuracy
    summary = over.agg(mean="mean", sd="std", n="count")
    untrained = {
        "method": RANDOM_PROMPT,
        "noise": "none",
        "fp": 0,
        "rate": 0.0,
        "rate_realised": 0.0,
    }
    assigned: pd.DataFrame = summary.assign(**untrained)
    return assigned[list(SUMMARY)]


def gradient_ratios(histories: Sequence[pd.DataFrame], metrics: Sequence[Metrics]) -> pd.DataFrame:
    """Noisy-to-clean ratios of gradient norms, one row per epoch (see `ptnl.schemas.GRADIENTS`).

    histories, metrics : of the same runs, which recorded the norms at some of their epochs
    """
    parts = []
    for history, run in zip(histories, metrics, strict=True):
        measured = history[history.gradient_noisy.notna()]
        if measured.empty:
            raise InputError(
                f"{'/'.join(run[key] for key in SWEEP_POINT[:4])}: no gradients of wrong labels; "
                "they need wrong labels, and more epochs than warmup_epochs"
            )
        parts.append(
            measured.assign(
                ratio=measured.gradient_noisy / measured.gradient_clean,
                ratio_mean=measured.gradient_noisy_mean / measured.gradient_clean_mean,
                **{key: run[key] for key in (*RUN_KEYS, "shots")},
            )
        )
    return pd.concat(parts, ignore_index=True)[list(GRADIENTS)]


def split_quality(histories: Sequence[pd.DataFrame], metrics: Sequence[Metrics]) -> pd.DataFrame:
    """The labels that runs took as right, one row per epoch with a split (`ptnl.schemas.SPLITS`).

    histories, metrics : of the same runs
    """
    parts = [
        history[history.taken_as_clean.notna()].assign(
            **{key: run[key] for key in (*RUN_KEYS, "shots")}
        )
        for history, run in zip(histories, metrics, strict=True)
    ]
    return pd.concat(parts, ignore_index=True)[list(SPLITS)]


def ensemble_accuracy(
    metrics: Sequence[Metrics],
    logits: Iterable[np.ndarray],
    labels: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    """Top-1 accuracy of the mean logits over seeds (UPL; see `ptnl.schemas.ENSEMBLES`).

    Parameters
    ----------
    metrics : one per run
    logits : (T, C) test logits of the same runs, read one after another
    labels : data set -> (T) true test labels
    """
    total: dict[tuple[Any, ...], np.ndarray] = {}
    members: Counter[tuple[Any, ...]] = Counter()
    for run, scores in zip(metrics, logits, strict=True):
        point = tuple(run[key] for key in SWEEP_POINT)
        total[point] = total.get(point, 0) + scores.astype(np.float32)
        members[point] += 1
    return pd.DataFrame(
        [
            (
                *point,
                100 * float((scores.argmax(axis=1) == labels[point[0]]).mean()),
                members[point],
            )
            for point, scores in total.items()
        ],
        columns=list(ENSEMBLES),
    )
