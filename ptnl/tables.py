"""The paper's tables as tidy numbers, Markdown and LaTeX. Pure functions of the summary."""

import math

import pandas as pd

from ptnl.data import DATASETS
from ptnl.layouts import Layout
from ptnl.methods import METHODS

COLUMNS = ["dataset", "method", "noise", "fp", "rate", "mean", "sd", "n", "best"]


def table_rows(summary: pd.DataFrame, layout: Layout, backbone: str) -> pd.DataFrame:
    """The numbers of a table: a row for each (data set, method, rate), in the paper's order.

    `best` marks the highest mean of a data set at a rate.
    """
    rows = summary[
        (summary.backbone == backbone)
        & (summary.noise == layout.noise)
        & summary.method.isin(layout.methods)
    ].copy()
    rows["best"] = rows["mean"] == rows.groupby(["dataset", "fp"])["mean"].transform("max")
    order = rows.method.map(layout.methods.index)
    rows = rows.assign(order=order).sort_values(["dataset", "order", "fp"], ignore_index=True)
    return rows[COLUMNS]


def _cells(rows: pd.DataFrame, plus_minus: str, bold: str) -> pd.DataFrame:
    """Text cells: one row a (data set, method), one column a rate."""

    def cell(row: pd.Series) -> str:
        spread = "" if math.isnan(row.sd) else f" {plus_minus} {row.sd:.2f}"
        mean = f"{row['mean']:.2f}"
        return (bold.format(mean) if row.best else mean) + spread

    order = list(dict.fromkeys(zip(rows.dataset, rows.method, strict=True)))
    text = rows.assign(cell=rows.apply(cell, axis=1))
    return text.pivot(index=["dataset", "method"], columns="rate", values="cell").loc[order]


def _caption(layout: Layout, study: str, protocol: str, backbone: str, runs: int) -> str:
    return (
        f"{layout.title}: top-1 accuracy (%), mean and standard deviation over {runs} seeds, "
        f"{layout.noise} noise, backbone {backbone}, study {study!r}, protocol {protocol!r}; "
        "best mean per column in bold"
    )


def markdown(
    rows: pd.DataFrame, layout: Layout, number: int, study: str, protocol: str, backbone: str
) -> str:
    """The table in the paper's layout, as GitHub's Markdown."""
    cells = _cells(rows, "±", "**{}**")
    lines = [
        f"**Table {number}.** {_caption(layout, study, protocol, backbone, int(rows.n.max()))}.",
        "",
        "| Data set | Method | " + " | ".join(f"{rate:g} %" for rate in cells.columns) + " |",
        "|---|---|" + "---:|" * len(cells.columns),
    ]
    previous = None
    for (dataset, method), values in cells.iterrows():
        title = DATASETS[dataset].title if dataset != previous else ""
        lines.append(f"| {title} | {METHODS[method].title} | " + " | ".join(values) + " |")
        previous = dataset
    return "\n".join(lines) + "\n"


def latex(
    rows: pd.DataFrame, layout: Layout, number: int, study: str, protocol: str, backbone: str
) -> str:
    """The table in the paper's layout, as LaTeX with booktabs."""
    cells = _cells(rows, r"$\pm$", r"\textbf{{{}}}")
    caption = _caption(layout, study, protocol, backbone, int(rows.n.max()))
    caption = caption.replace("%", r"\%").replace("_", r"\_")
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \caption{{{caption}.}}",
        rf"  \label{{tab:ptnl-table{number}}}",
        rf"  \begin{{tabular}}{{ll{'r' * len(cells.columns)}}}",
        r"    \toprule",
        "    Data set & Method & "
        + " & ".join(rf"{rate:g}\,\%" for rate in cells.columns)
        + r" \\",
    ]
    previous = None
    for (dataset, method), values in cells.iterrows():
        if dataset != previous:
            lines.append(r"    \midrule")
        title = DATASETS[dataset].title if dataset != previous else ""
        lines.append(f"    {title} & {METHODS[method].title} & " + " & ".join(values) + r" \\")
        previous = dataset
    lines += [r"    \bottomrule", r"  \end{tabular}", r"\end{table}"]
    return "\n".join(lines) + "\n"
