"""The paper's tables as tidy numbers, Markdown and LaTeX. Pure functions of the summary."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from ptnl import data
from ptnl.analysis.published import beside, published, published_under
from ptnl.analysis.text_tables import latex_table, markdown_table
from ptnl.backbones import registry
from ptnl.labels.pseudo_labels import SELECTIONS
from ptnl.methods import METHODS
from ptnl.study.grid import RANDOM_PROMPT
from ptnl.study.layouts import Table, noise_title, shown

ESTIMATES = {
    "single": "One prompt",
    "ensemble": "Ensemble",
    "pseudo_labels": "Pseudo-labels right",
}
AVERAGE = "average"
COLUMNS = [
    *("dataset", "backbone", "method", "noise", "fp", "rate", "estimate"),
    *("mean", "sd", "n", "best", "published_mean", "published_sd", "difference"),
]


@dataclass(frozen=True)
class Origin:
    """Where the numbers of a table or figure come from, for its caption."""

    study: str
    protocol: str
    backbone: str  # the primary one

    @property
    def run(self) -> str:
        """Without the backbone, for what compares backbones."""
        return f"study {self.study!r}, protocol {self.protocol!r}"

    def __str__(self) -> str:
        return f"backbone {self.backbone}, {self.run}"


def table_rows(
    summary: pd.DataFrame,
    layout: Table,
    number: int,
    backbone: str,
    ensembles: pd.DataFrame | None = None,
    protocol: str = "paper",
) -> pd.DataFrame:
    """The numbers of a table, one row per cell, in the paper's order, with what the paper prints.

    `best` marks the highest mean among what the table compares: the rows of a data set in one
    column, or the columns in one row where columns are methods.

    Parameters
    ----------
    summary : statistics over seeds (see `ptnl.schemas.SUMMARY`)
    layout, number : of the table
    backbone : the primary one
    ensembles : for a table of estimates (see `ptnl.schemas.ENSEMBLES`)
    protocol : of the study; numbers of later work stand beside ours under their own alone
    """
    datasets = shown(layout, data.in_order(summary.dataset))
    rows = summary[summary.dataset.isin(datasets) & summary.method.isin(layout.methods)]
    if layout.rows != "backbone":
        rows = rows[rows.backbone == backbone]
    if layout.noises:
        rows = rows[rows.noise.isin(layout.noises)]
    if layout.columns == "noise":
        common = set.intersection(*(set(part.fp) for _, part in rows.groupby("noise")))
        rows = rows[rows.fp == max(common)]
    rows = rows.assign(estimate="single")
    if ensembles is not None:
        rows = pd.concat([rows, _pseudo_label_rows(rows), _ensemble_rows(rows, ensembles)])
    if layout.average and len(datasets) > 1:
        rows = pd.concat([rows, _average_rows(rows, len(datasets))])
    rows = _ordered(_with_best(rows, layout), layout, [*datasets, AVERAGE])
    numbers = published() if layout.is_papers else published_under(protocol)
    return with_published(rows, number, numbers)[COLUMNS]


def _pseudo_label_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """How many of the pseudo-labels that a method trained on are right, in percent."""
    trained = rows[rows.method.map(lambda name: METHODS[name].is_trained)]
    right = 100 - trained.rate_realised
    return trained.assign(estimate="pseudo_labels", mean=right, sd=math.nan)


def _ensemble_rows(rows: pd.DataFrame, ensembles: pd.DataFrame) -> pd.DataFrame:
    keys = ["dataset", "backbone", "method", "noise", "fp"]
    single = rows.drop(columns=["mean", "sd", "n"])
    joined = single.merge(ensembles.rename(columns={"accuracy": "mean"}), on=keys)
    return joined.assign(estimate="ensemble", sd=math.nan)


def _average_rows(rows: pd.DataFrame, datasets: int) -> pd.DataFrame:
    """Means over the data sets, of what all of them have."""
    keys = ["backbone", "method", "noise", "fp", "rate", "estimate"]
    means = rows.groupby(keys, as_index=False).agg(mean=("mean", "mean"), n=("dataset", "nunique"))
    return means[means.n == datasets].assign(dataset=AVERAGE, sd=math.nan)


def _with_best(rows: pd.DataFrame, layout: Table) -> pd.DataFrame:
    compared = "estimate" if layout.columns == "method" else layout.columns
    accuracy = rows.estimate != "pseudo_labels"
    highest = rows.groupby(["dataset", compared])["mean"].transform("max")
    return rows.assign(best=accuracy & (rows["mean"] == highest))


def with_published(rows: pd.DataFrame, number: int, numbers: pd.DataFrame) -> pd.DataFrame:
    """Add to each cell the printed number, if there is one, and ours minus it, in points.

    For methods on pseudo-labels, the printed numbers are those of ensembles.
    """
    on_pseudo_labels = rows.noise.isin(SELECTIONS)
    printed = beside(rows.assign(noise=rows.noise.mask(on_pseudo_labels, "none")), numbers, number)
    same = rows.estimate == on_pseudo_labels.map({True: "ensemble", False: "single"})
    mean, sd = (printed[name].where(same) for name in ("published_mean", "published_sd"))
    return rows.assign(published_mean=mean, published_sd=sd, difference=rows["mean"] - mean)


def _ordered(rows: pd.DataFrame, layout: Table, datasets: list[str]) -> pd.DataFrame:
    """Rows in the order of the data sets, then of the layout's rows, then of its columns."""
    order = {
        "dataset": datasets,
        "backbone": registry.in_order(rows.backbone),
        "method": list(layout.methods),
        "noise": [*layout.noises, *sorted(set(rows.noise) - set(layout.noises))],
        "estimate": list(ESTIMATES),
    }
    rows = rows.reset_index(drop=True)
    by = [key for key in ("dataset", layout.rows, layout.columns) if key]
    rank = rows[by].apply(
        lambda column: column.map(order[column.name].index) if column.name in order else column
    )
    ordered: pd.DataFrame = rows.loc[rank.sort_values(by, kind="stable").index]
    return ordered.reset_index(drop=True)


def _titles(layout: Table) -> dict[str, Callable[[Any], str]]:
    """The titles of the keys of rows and columns."""
    return {
        "method": lambda name: METHODS[name].title,
        "backbone": lambda name: f"{registry.title_of(name)}-PT",
        "estimate": ESTIMATES.__getitem__,
        "noise": noise_title,
        "rate": lambda rate: f"{rate:g} %",
    }


def _grid(
    rows: pd.DataFrame, layout: Table, plus_minus: str, bold: str, minus: str
) -> pd.DataFrame:
    """Text cells: one row per (data set, row of the layout), and the layout's columns."""

    def cell(row: pd.Series) -> str:
        mean = f"{row['mean']:.2f}"
        spread = "" if math.isnan(row.sd) else f" {plus_minus} {row.sd:.2f}"
        beside = ""
        if not math.isnan(row.published_mean):
            apart = f"{row.difference:+.2f}".replace("-", minus)
            beside = f" [{row.published_mean:.2f}, {apart}]"
        return (bold.format(mean) if row.best else mean) + spread + beside

    titles = _titles(layout)
    text = pd.DataFrame(
        {
            "dataset": rows.dataset,
            "row": rows[layout.rows].map(titles[layout.rows]) if layout.rows else "",
            "column": rows[layout.columns].map(titles[layout.columns]),
            "cell": rows.apply(cell, axis=1),
        }
    )
    wide = text.pivot(index=["dataset", "row"], columns="column", values="cell").fillna("")
    index = list(dict.fromkeys(zip(text.dataset, text.row, strict=True)))
    return wide.loc[index][_column_titles(rows, layout)]


def _column_titles(rows: pd.DataFrame, layout: Table) -> list[str]:
    keys = rows[layout.columns].unique()
    listed = {"method": layout.methods, "noise": layout.noises}.get(layout.columns)
    ordered = sorted(keys, key=listed.index if listed else None)
    return [_titles(layout)[layout.columns](key) for key in ordered]


def caption(rows: pd.DataFrame, layout: Table, origin: Origin) -> str:
    """What the numbers are, in one sentence."""
    n = rows.n[rows.dataset != AVERAGE].max()
    runs = f"{n} {'draws' if RANDOM_PROMPT in layout.methods else 'seeds'}"
    said = [f"{layout.title}: top-1 accuracy (%), mean and standard deviation over {runs}"]
    if layout.columns == "noise":
        said.append(f"{rows.rate.max():g} % wrong labels")
    elif layout.noises:
        said.append(f"{noise_title(layout.noises[0]).lower()} noise")
    said.append(origin.run if layout.rows == "backbone" else str(origin))
    across = "row" if layout.columns == "method" else "column"
    whose = "the paper's" if layout.is_papers else "what later work printed under this protocol"
    printed = (
        f"; in brackets {whose} and ours minus it" if rows.published_mean.notna().any() else ""
    )
    return ", ".join(said) + f"; best mean per {across} of a data set in bold{printed}"


def markdown(rows: pd.DataFrame, layout: Table, number: int, origin: Origin) -> str:
    """The table in the paper's layout, as GitHub's Markdown."""
    grid = _grid(rows, layout, "±", "**{}**", "−")
    heads = _heads(layout, "Row")
    table = markdown_table(
        [*heads, *grid.columns],
        [row for block in _blocks(grid, layout) for row in block],
        "l" * len(heads) + "r" * len(grid.columns),
    )
    return f"**Table {number}.** {caption(rows, layout, origin)}.\n\n{table}\n"


def _heads(layout: Table, estimate: str) -> list[str]:
    """The heads of the columns that say what a row is."""
    row = {"": [], "estimate": [estimate]}.get(layout.rows, ["Method"])
    return ["Data set", *row]


def _blocks(grid: pd.DataFrame, layout: Table) -> list[list[list[str]]]:
    """The rows of each data set, whose name stands in its first one only."""
    return [
        [
            [
                data.title_of(str(dataset)) if place == 0 else "",
                *([str(row)] if layout.rows else []),
                *cells,
            ]
            for place, (row, cells) in enumerate(block.droplevel("dataset").iterrows())
        ]
        for dataset, block in grid.groupby(level="dataset", sort=False)
    ]


def latex(rows: pd.DataFrame, layout: Table, number: int, origin: Origin) -> str:
    """The table in the paper's layout, as LaTeX with booktabs."""
    grid = _grid(rows, layout, r"$\pm$", r"\textbf{{{}}}", "$-$")
    heads = _heads(layout, "")
    return latex_table(
        f"{caption(rows, layout, origin)}.",
        f"tab:ptnl-table{number}",
        [*heads, *grid.columns],
        _blocks(grid, layout),
        "l" * len(heads) + "r" * len(grid.columns),
    )
