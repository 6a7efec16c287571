"""What tuning the prompt on each test image adds, by where it starts. Pure."""

import math

import pandas as pd

from ptnl import data
from ptnl.analysis.tables import Origin
from ptnl.analysis.text_tables import markdown_table
from ptnl.methods import METHODS
from ptnl.schemas import rows_of
from ptnl.study.layouts import NOISE_TITLES

CELL = ["dataset", "backbone", "method", "noise", "rate"]


def tpt_table(evaluated: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds of accuracies before and after, one row per (data set, start, rate).

    evaluated : see `ptnl.schemas.TPT`
    """
    gains = evaluated.assign(gain=evaluated.accuracy - evaluated.accuracy_start)
    return gains.groupby(CELL, as_index=False, sort=False).agg(
        accuracy_start=("accuracy_start", "mean"),
        accuracy=("accuracy", "mean"),
        sd=("accuracy", "std"),
        gain=("gain", "mean"),
        gain_sd=("gain", "std"),
        n=("gain", "count"),
    )


def markdown(table: pd.DataFrame, origin: Origin) -> str:
    """The rows of `tpt_table` as GitHub's Markdown."""

    def spread(mean: float, sd: float, form: str) -> str:
        return form.format(mean) + ("" if math.isnan(sd) else f" ± {sd:.2f}")

    rows = [
        [
            data.title_of(row.dataset),
            METHODS[row.method].title if row.method else "a photo of a",
            f"{NOISE_TITLES[row.noise]}, {row.rate:g} %" if row.method else "",
            f"{row.accuracy_start:.2f}",
            spread(row.accuracy, row.sd, "{:.2f}"),
            spread(row.gain, row.gain_sd, "{:+.2f}"),
        ]
        for row in rows_of(table)
    ]
    heads = ["Data set", "Start", "Noise", "Start alone", "TPT", "Gain"]
    seeds = f"mean and standard deviation over {table.n.max()} seeds"
    return (
        "**Test-time prompt tuning.** Top-1 accuracy (%) of the prompt that it starts at, and "
        f"after one step on each test image; {seeds}, {origin}.\n\n"
        f"{markdown_table(heads, rows, 'lllrrr')}\n"
    )
