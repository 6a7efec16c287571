"""What a study has cost: runs from their own metrics, other stages from the records of their jobs.

Pure functions of DataFrames, without torch.
"""

from collections.abc import Mapping

import pandas as pd

from ptnl.analysis.text_tables import filled_table
from ptnl.methods import METHODS
from ptnl.schemas import COST, rows_of

RUN_STAGES = {"features": "tune_method", "images": "finetune_backbone"}
ZERO_SHOT_STAGE = "pseudolabel_zeroshot"


def stage_of(method: str) -> str:
    """The step of the workflow that makes a method's runs."""
    known = METHODS[method]
    return RUN_STAGES[known.trains_on] if known.is_trained else ZERO_SHOT_STAGE


def cost_table(
    runs: pd.DataFrame, records: pd.DataFrame, encodings: Mapping[str, int]
) -> pd.DataFrame:
    """Jobs, hours and peak memory by stage, method and device (see `ptnl.schemas.COST`).

    Parameters
    ----------
    runs : see `ptnl.schemas.RUNS`. Their seconds run from the start of a command to its end.
    records : one row per job (see `ptnl.study.job_records`): stage, seconds, memory_gib. Those of
        stages that make runs are left out: the runs say more.
    encodings : how often a step of a method encodes the prompts of all classes; not at all where
        a method is missing (see `ptnl.study.operation_counts.encodings_a_step`)
    """
    share = runs.assign(
        stage=runs.method.map(stage_of),
        jobs=1 / runs.job_runs,
        runs=1,
        hours=runs.job_seconds / runs.job_runs / 3600,
    )
    of_runs = share.groupby(["stage", "method", "device"], as_index=False).agg(
        jobs=("jobs", "sum"),
        runs=("runs", "sum"),
        hours=("hours", "sum"),
        memory_gib=("memory_gib", "max"),
        device_gib=("device_gib", "max"),
    )
    rest = records[~records.stage.isin([*RUN_STAGES.values(), ZERO_SHOT_STAGE])]
    of_rest = rest.groupby("stage", as_index=False).agg(
        jobs=("seconds", "count"),
        hours=("seconds", lambda seconds: seconds.sum() / 3600),
        memory_gib=("memory_gib", "max"),
    )
    of_rest = of_rest.assign(
        method="", device="", runs=0, device_gib=float("nan"), seconds_a_run=float("nan")
    )
    of_runs["seconds_a_run"] = 3600 * of_runs.hours / of_runs.runs
    for part in (of_rest, of_runs):
        part["encodings_a_step"] = part.method.map(lambda method: encodings.get(method, 0))
    order = {name: place for place, name in enumerate(["", *METHODS])}
    of_runs = of_runs.sort_values("method", key=lambda method: method.map(order))
    table = pd.concat([part[list(COST)] for part in (of_rest, of_runs) if len(part)])
    return table.assign(jobs=table.jobs.round().astype(int)).reset_index(drop=True)


def markdown(table: pd.DataFrame, study: str) -> str:
    """The rows of `cost_table`, and their sum, as GitHub's Markdown."""
    caption = (
        f"**Cost.** Wall time of all jobs, one after the other, and peak memory, study {study!r}. "
        "Runs that a job trained side by side share its time. An encoding is one of the prompts of "
        "all classes by the text tower, forward and backward. Stages without a device are known "
        "by records of other jobs, which do not tell it."
    )
    heads = ["Stage", "Method", "Device", "Jobs", "Runs", "Time (h:min:s)"]
    heads += ["Seconds per run", "Encodings per step", "Memory (GiB)", "Device memory (GiB)"]
    rows = [
        (
            row.stage,
            METHODS[row.method].title if row.method else "",
            row.device,
            row.jobs,
            row.runs or "",
            _time(row.hours),
            f"{row.seconds_a_run:.2f}" if row.runs else "",
            row.encodings_a_step or "",
            _gib(row.memory_gib),
            _gib(row.device_gib),
        )
        for row in rows_of(table)
    ]
    peaks = (_gib(table.memory_gib.max()), _gib(table.device_gib.max()))
    sums = (table.jobs.sum(), table.runs.sum(), _time(table.hours.sum()))
    rows.append(("All", "", "", *sums, "", "", *peaks))
    return f"{caption}\n\n{filled_table(heads, rows, 'lllrrrrrrr')}\n"


def _time(hours: float) -> str:
    """A time as h:min:s, of which cost tables of small studies need the seconds."""
    minutes, seconds = divmod(round(3600 * hours), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _gib(amount: float) -> str:
    """An amount of memory; empty where there is none or it is unknown."""
    return f"{amount:.2f}" if amount > 0 else ""
