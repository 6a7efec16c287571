"""Every method of a study at every rate, with its distance to a baseline. Pure functions of runs.

Methods that train on the given labels are listed under each kind of noise, beside zero-shot CLIP,
which is the same at all rates. Methods that label their own images, or train nothing, have a block
of their own, with zero-shot as the baseline.
"""

from collections.abc import Sequence

import pandas as pd

from ptnl import data
from ptnl.analysis.intervals import mean_interval
from ptnl.analysis.tables import Origin
from ptnl.analysis.text_tables import latex_table, latex_text, markdown_table
from ptnl.backbones import registry
from ptnl.methods import METHODS
from ptnl.schemas import OVERVIEW
from ptnl.study.grid import RANDOM_PROMPT
from ptnl.study.layouts import noise_title

ZERO_SHOT = "zero_shot"
OWN = "own"  # the block of what uses no given label
POINT = ["dataset", "backbone", "noise", "fp"]


def overview_table(runs: pd.DataFrame, draws: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """One row per (data set, backbone, kind of noise, rate, method); see `ptnl.schemas.OVERVIEW`.

    Differences are paired: seed by seed with the baseline's run at the same point. They are NaN
    where the baseline has no run there, and their interval where there is one seed.

    Parameters
    ----------
    runs : see `ptnl.schemas.RUNS`
    draws : of random prompts (`ptnl.schemas.RANDOM_PROMPTS`); may be empty
    baseline : a method that trains on the given labels; empty where the study has none
    """
    given = runs[runs.method.map(lambda name: METHODS[name].labels == "noise")]
    own = runs.drop(given.index).assign(noise=OWN)
    tried = draws.rename(columns={"draw": "seed"}).assign(
        method=RANDOM_PROMPT, noise=OWN, fp=0, rate=0.0
    )
    columns = [*POINT, "rate", "method", "seed", "accuracy"]
    blocks = [given[columns], _at_every_point(own, given)[columns]]
    rows = _statistics(pd.concat(blocks), baseline)
    rest = [part[columns] for part in (own, tried) if len(part)]
    if rest:
        rows = pd.concat([rows, _statistics(pd.concat(rest), ZERO_SHOT)])
    return _ordered(rows)[list(OVERVIEW)]


def _at_every_point(own: pd.DataFrame, given: pd.DataFrame) -> pd.DataFrame:
    """Zero-shot CLIP at every rate of every kind of noise."""
    points = given[[*POINT, "rate"]].drop_duplicates()
    zero_shot = own[own.method == ZERO_SHOT]
    return points.merge(zero_shot[["dataset", "backbone", "method", "seed", "accuracy"]])


def _statistics(runs: pd.DataFrame, baseline: str) -> pd.DataFrame:
    rows = []
    for point, part in runs.groupby([*POINT, "rate"], sort=False):
        base = part[part.method == baseline].set_index("seed").accuracy
        for method, of_method in part.groupby("method", sort=False):
            accuracy = of_method.set_index("seed").accuracy
            rows.append(
                (
                    *point,
                    method,
                    accuracy.mean(),
                    accuracy.std(),
                    len(accuracy),
                    "" if method == baseline else baseline,
                    *_difference(accuracy, base, str(method), baseline),
                )
            )
    return pd.DataFrame(rows, columns=list(OVERVIEW))


def _difference(
    accuracy: pd.Series, base: pd.Series, method: str, baseline: str
) -> tuple[float, float, float]:
    """Mean and interval of the differences to the baseline, seed by seed."""
    if method == baseline or base.empty:
        return (float("nan"),) * 3
    if not METHODS[method].is_trained and len(accuracy) == 1:
        differences = float(accuracy.iloc[0]) - base
    elif not METHODS[baseline].is_trained and len(base) == 1:
        differences = accuracy - float(base.iloc[0])
    else:
        differences = (accuracy - base).dropna()
    return mean_interval(differences) if len(differences) else (float("nan"),) * 3


def _ordered(rows: pd.DataFrame) -> pd.DataFrame:
    """Kinds of noise by how many methods meet them; the rest in the order of the registries."""
    datasets, backbones = data.in_order(rows.dataset), registry.in_order(rows.backbone)
    methods = rows[rows.noise != OWN].groupby("noise").method.nunique()
    kinds = [*methods.sort_values(ascending=False, kind="stable").index, OWN]
    rank = pd.DataFrame(
        {
            "noise": rows.noise.map(kinds.index),
            "backbone": rows.backbone.map(backbones.index),
            "dataset": rows.dataset.map(datasets.index),
            "method": rows.method.map(list(METHODS).index),
            "rate": rows.rate,
        }
    ).reset_index(drop=True)
    order = rank.sort_values(list(rank.columns), kind="stable").index
    return rows.reset_index(drop=True).loc[order].reset_index(drop=True)


def blocks_of(overview: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """The tables of an overview, each with its title: one per kind of noise and backbone.

    Zero-shot CLIP has no block to itself where it stands beside other methods.
    """
    several = overview.backbone.nunique() > 1
    alone = overview.groupby(["noise", "backbone"]).method.transform(
        lambda m: set(m) == {ZERO_SHOT}
    )
    overview = overview[~alone] if not alone.all() else overview
    return [
        (
            block_title(rows)
            + (f", backbone {registry.title_of(str(backbone))}" if several else ""),
            rows,
        )
        for (_, backbone), rows in overview.groupby(["noise", "backbone"], sort=False)
    ]


def block_title(rows: pd.DataFrame) -> str:
    """What the methods of a block trained on."""
    kind = rows.noise.iloc[0]
    if kind == OWN:
        return "Without given labels"
    return f"{noise_title(str(kind))} noise" if rows.fp.any() else "Labels as they are"


def _accuracies(rows: pd.DataFrame, plus_minus: str, bold: str) -> pd.DataFrame:
    """Text cells: one row per (data set, method), one column per rate."""
    best = rows.groupby(["dataset", "rate"])["mean"].transform("max")
    spread = rows.sd.map(lambda sd: "" if pd.isna(sd) else f" {plus_minus} {sd:.2f}")
    mean = rows["mean"].map("{:.2f}".format)
    return _wide(rows, mean.where(rows["mean"] < best, mean.map(bold.format)) + spread)


def _differences(rows: pd.DataFrame) -> pd.DataFrame:
    """Text cells: the distance to the baseline and its interval."""

    def cell(row: pd.Series) -> str:
        if pd.isna(row.difference):
            return "–"
        # Adding zero takes the sign from a negative zero.
        points, low, high = (round(row[key], 1) + 0.0 for key in ("difference", "low", "high"))
        interval = "" if pd.isna(low) or row.low == row.high else f" [{low:+.1f}, {high:+.1f}]"
        return f"{points:+.1f}{interval}".replace("-", "−")

    rows = rows[rows.groupby("method").baseline.transform("max") != ""]
    return _wide(rows, rows.apply(cell, axis=1)) if len(rows) else pd.DataFrame()


def _wide(rows: pd.DataFrame, cells: pd.Series) -> pd.DataFrame:
    text = rows[["dataset", "method", "rate"]].assign(cell=cells)
    wide = text.pivot(index=["dataset", "method"], columns="rate", values="cell").fillna("")
    return wide.loc[list(dict.fromkeys(zip(text.dataset, text.method, strict=True)))]


def _rows_by_dataset(grid: pd.DataFrame) -> list[list[list[str]]]:
    """The rows of each data set, whose name stands in its first one only."""
    return [
        [
            [data.title_of(str(dataset)) if place == 0 else "", METHODS[str(method)].title, *cells]
            for place, (method, cells) in enumerate(block.droplevel("dataset").iterrows())
        ]
        for dataset, block in grid.groupby(level="dataset", sort=False)
    ]


def _heads(grid: pd.DataFrame, kind: str) -> list[str]:
    """The heads of a block: its rates, or one column where no label was made wrong."""
    one = kind == OWN or not any(grid.columns)
    return ["Data set", "Method", *(["Accuracy"] if one else [f"{r:g} %" for r in grid.columns])]


def caption(rows: pd.DataFrame, title: str, origin: Origin) -> str:
    """What the numbers of a block are, in one sentence."""
    trained = rows[rows.method.map(lambda name: METHODS[name].is_trained)]
    n = int(trained.n.max()) if len(trained) else 1
    over = f", mean and standard deviation over {n} seeds" if n > 1 else ""
    draws = rows.n[rows.method == RANDOM_PROMPT]
    over += f" ({METHODS[RANDOM_PROMPT].title}: {draws.max()} draws)" if len(draws) else ""
    return f"{title}: top-1 accuracy (%){over}, {origin.run}; best mean of a data set in bold"


def _difference_caption(rows: pd.DataFrame) -> str:
    baseline = METHODS[rows.baseline.max()].title
    trained = rows.n[rows.method.map(lambda name: METHODS[name].is_trained)]
    few = "; two seeds are too few for these to say much" if trained.max() == 2 else ""
    return (
        f"Points above {baseline}, seed by seed, with 95 % intervals (Student's) where two "
        f"seeds or more differ{few}"
    )


def markdown(overview: pd.DataFrame, origin: Origin) -> str:
    """Every block: accuracies, then distances to the baseline."""
    parts = []
    for title, rows in blocks_of(overview):
        kind = rows.noise.iloc[0]
        for grid, says in (
            (_accuracies(rows, "±", "**{}**"), f"**{caption(rows, title, origin)}.**"),
            (_differences(rows), f"{_difference_caption(rows)}." if rows.baseline.any() else ""),
        ):
            if len(grid):
                body = [row for block in _rows_by_dataset(grid) for row in block]
                sides = "ll" + "r" * grid.shape[1]
                parts += [says, markdown_table(_heads(grid, kind), body, sides)]
    return "\n\n".join(parts) + "\n"


def seeds_markdown(runs: pd.DataFrame) -> str:
    """The accuracy of every seed of every trained method, a column per seed.

    runs : see `ptnl.schemas.RUNS`
    """
    trained = runs[runs.method.map(lambda name: METHODS[name].is_trained)]
    if trained.empty:
        return "Nothing was trained, so there are no seeds.\n"
    keys = ["dataset", "backbone", "noise", "method", "rate"]
    wide = trained.pivot(index=keys, columns="seed", values="accuracy")
    with_noise = bool(trained.fp.any())
    heads = ["Data set", "Method", "Backbone", *(["Noise", "Rate (%)"] if with_noise else [])]
    rows = [
        [
            data.title_of(dataset),
            METHODS[method].title,
            registry.title_of(backbone),
            *([noise_title(noise), f"{rate:g}"] if with_noise else []),
            *("" if pd.isna(value) else f"{value:.2f}" for value in accuracies),
        ]
        for (dataset, backbone, noise, method, rate), accuracies in zip(
            wide.index, wide.to_numpy(), strict=True
        )
    ]
    sides = "lll" + ("lr" if with_noise else "") + "r" * wide.shape[1]
    heads += [f"Seed {seed}" for seed in wide.columns]
    table = markdown_table(heads, rows, sides)
    return f"**Every seed:** top-1 accuracy (%).\n\n{table}\n"


def latex(overview: pd.DataFrame, origin: Origin) -> str:
    """The accuracies of every block, as LaTeX with booktabs."""
    tables: Sequence[str] = [
        latex_table(
            f"{caption(rows, title, origin)}.",
            f"tab:ptnl-overview{place}",
            _heads(grid, rows.noise.iloc[0]),
            [[[*map(latex_text, row[:2]), *row[2:]] for row in b] for b in _rows_by_dataset(grid)],
            "ll" + "r" * grid.shape[1],
        )
        for place, (title, rows) in enumerate(blocks_of(overview), start=1)
        for grid in [_accuracies(rows, r"$\pm$", r"\textbf{{{}}}")]
    ]
    return "\n".join(tables)
