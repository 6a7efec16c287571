"""How methods rank over data sets at each noise, with intervals. Pure functions of DataFrames."""

import math

import pandas as pd

from ptnl.analysis.intervals import LEVEL, mean_interval
from ptnl.analysis.tables import Origin
from ptnl.analysis.text_tables import markdown_table
from ptnl.methods import METHODS
from ptnl.schemas import RANKS
from ptnl.study.layouts import NOISE_TITLES, RANKED, TABLES, noise_title

BASELINE = "prompt_ce"  # whose accuracy is subtracted
LAYOUT = TABLES[RANKED]


def method_ranks(runs: pd.DataFrame, backbone: str) -> pd.DataFrame:
    """Mean rank and gain over prompt tuning of each method (see `ptnl.schemas.RANKS`).

    Ranks are counted for each (data set, seed) at each noise and rate, 1 the most accurate, ties
    shared, among the methods of Table 10 that ran on every data set of that noise with every seed;
    what was run on some data sets only is left out. Intervals are over seeds, of the means over
    data sets.

    Parameters
    ----------
    runs : see `ptnl.schemas.RUNS`
    backbone : the primary one
    """
    rows = runs[(runs.backbone == backbone) & runs.method.isin(LAYOUT.methods)]
    parts = []
    for (noise, rate), cell in rows.groupby(["noise", "rate"]):
        accuracy = cell.pivot(index=["dataset", "seed"], columns="method", values="accuracy")
        accuracy = accuracy.dropna(axis="columns")
        if BASELINE not in accuracy or len(accuracy.columns) < 2:
            continue
        ranks = accuracy.rank(axis="columns", ascending=False)
        gains = accuracy.sub(accuracy[BASELINE], axis="index")
        for method in accuracy:
            rank = mean_interval(ranks[method].groupby("seed").mean())
            gain = mean_interval(gains[method].groupby("seed").mean())
            parts.append(
                {
                    "noise": noise,
                    "rate": rate,
                    "method": method,
                    "methods": len(accuracy.columns),
                    "datasets": accuracy.index.get_level_values("dataset").nunique(),
                    "seeds": accuracy.index.get_level_values("seed").nunique(),
                    **{"rank": rank.mean, "rank_low": rank.low, "rank_high": rank.high},
                    **{"gain": gain.mean, "gain_low": gain.low, "gain_high": gain.high},
                }
            )
    table = pd.DataFrame(parts, columns=list(RANKS))
    order = {method: place for place, method in enumerate(LAYOUT.methods)}
    others = sorted(set(table.noise) - NOISE_TITLES.keys())
    kinds = {noise: place for place, noise in enumerate([*NOISE_TITLES, *others])}
    return table.sort_values(
        ["noise", "rate", "method"],
        key=lambda column: (
            column.map({"noise": kinds, "method": order}[str(column.name)])
            if column.name != "rate"
            else column
        ),
        ignore_index=True,
    )


def markdown(ranks: pd.DataFrame, origin: Origin) -> str:
    """The ranks, then the gains: a row per method, a column per noise and rate."""
    if ranks.empty:
        return f"No two methods of Table 10 ran under the same noise ({origin}).\n"
    seeds, datasets = ranks.seeds.max(), ranks.datasets.max()
    over = f"{datasets} data sets, {seeds} seeds"
    of = f"means over {over}, {LEVEL:.0%} intervals over seeds, {origin}"
    return "\n".join(
        [
            f"**Mean ranks** (1 is the most accurate of {ranks.methods.max()}), {of}.",
            "",
            _grid(ranks, "rank", "{:.1f}", lowest_is_best=True),
            "",
            f"**Points over {METHODS[BASELINE].title.lower()}** (top-1 accuracy), {of}.",
            "",
            _grid(ranks, "gain", "{:+.1f}", lowest_is_best=False),
            "",
        ]
    )


def _grid(ranks: pd.DataFrame, column: str, form: str, lowest_is_best: bool) -> str:
    """A table of one statistic, the best of a column in bold."""
    cells = list(dict.fromkeys(zip(ranks.noise, ranks.rate, strict=True)))
    methods = [method for method in LAYOUT.methods if method in set(ranks.method)]
    rows = [[METHODS[method].title] for method in methods]
    for noise, rate in cells:
        here = ranks[(ranks.noise == noise) & (ranks.rate == rate)].set_index("method")
        best = here[column].min() if lowest_is_best else here[column].max()
        for row, method in zip(rows, methods, strict=True):
            if method not in here.index:
                row.append("")
                continue
            found = here.loc[method]
            mean = form.format(found[column])
            ends = [found[f"{column}_low"], found[f"{column}_high"]]
            spread = "" if math.isnan(ends[0]) else " [{}, {}]".format(*map(form.format, ends))
            row.append((f"**{mean}**" if found[column] == best else mean) + spread)
    heads = ["Method", *(f"{noise_title(noise)}, {rate:g} %" for noise, rate in cells)]
    return markdown_table(heads, rows, "l" + "r" * len(cells))
