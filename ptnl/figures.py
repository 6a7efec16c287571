"""The paper's figures. Pure functions of the summary; one style for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ptnl.data import DATASETS
from ptnl.layouts import Layout
from ptnl.methods import METHODS

STYLE = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "ptnl",
    "pdf.fonttype": 42,
}


@dataclass(frozen=True)
class LineStyle:
    """Colour says the family, dashes and marker say the loss: readable without colour."""

    colour: str  # Okabe & Ito's palette, safe for the colour-blind
    dashes: str
    marker: str


LINES = {
    "prompt_gce": LineStyle("#0072B2", "-", "o"),
    "prompt_ce": LineStyle("#0072B2", "--", "s"),
    "linear_probe_gce": LineStyle("#D55E00", "-", "^"),
    "linear_probe": LineStyle("#D55E00", "--", "v"),
}


def spread_labels(positions: np.ndarray, distance: float) -> np.ndarray:
    """Label positions at least `distance` apart, in the same order and close to `positions`.

    Overlapping labels are pooled into blocks that sit evenly around their mean.
    """
    order = np.argsort(positions)
    blocks: list[tuple[float, int]] = []  # centre, labels
    for position in positions[order]:
        centre, size = float(position), 1
        while blocks:
            below, count = blocks[-1]
            if centre - below >= distance * (size + count) / 2:
                break
            blocks.pop()
            centre = (centre * size + below * count) / (size + count)
            size += count
        blocks.append((centre, size))
    spread = np.empty(len(positions))
    spread[order] = np.concatenate(
        [centre + distance * (np.arange(size) - (size - 1) / 2) for centre, size in blocks]
    )
    return spread


def _accuracy_panel(axes: Axes, rows: pd.DataFrame, methods: tuple[str, ...]) -> None:
    for method in methods:
        line = LINES[method]
        points = rows[rows.method == method].sort_values("rate")
        axes.plot(
            points.rate, points["mean"], line.dashes, marker=line.marker, color=line.colour, ms=4.5
        )
        axes.fill_between(
            points.rate,
            points["mean"] - points.sd.fillna(0),
            points["mean"] + points.sd.fillna(0),
            color=line.colour,
            alpha=0.12,
            linewidth=0,
        )


def _label_lines(axes: Axes, rows: pd.DataFrame, methods: tuple[str, ...]) -> None:
    """Name the lines at their right end, moved apart where they would touch."""
    last = rows[rows.rate == rows.rate.max()].set_index("method")["mean"]
    low, high = axes.get_ylim()
    places = spread_labels(last[list(methods)].to_numpy(), 0.07 * (high - low))
    for method, place in zip(methods, places, strict=True):
        axes.annotate(
            METHODS[method].title,
            (rows.rate.max(), place),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            color=LINES[method].colour,
            annotation_clip=False,
        )


def accuracy_over_rate(
    summary: pd.DataFrame, layout: Layout, study: str, protocol: str, backbone: str
) -> Figure:
    """Top-1 accuracy over the noise rate, a panel a data set, a labelled line a method."""
    rows = summary[
        (summary.backbone == backbone)
        & (summary.noise == layout.noise)
        & summary.method.isin(layout.methods)
    ]
    datasets = [name for name in DATASETS if name in set(rows.dataset)]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(3.1 * len(datasets) + 1.6, 3.4), layout="constrained")
        panels = figure.subplots(1, len(datasets), squeeze=False)[0]
        for axes, dataset in zip(panels, datasets, strict=True):
            part = rows[rows.dataset == dataset]
            _accuracy_panel(axes, part, layout.methods)
            axes.set_title(DATASETS[dataset].title, loc="left", fontweight="bold")
            axes.set_xlabel("Wrong labels (%)")
            axes.set_xticks(sorted(part.rate.unique()))
            axes.xaxis.set_major_formatter("{x:g}")
            _label_lines(axes, part, layout.methods)
        panels[0].set_ylabel("Top-1 accuracy (%)")
        figure.supxlabel(
            f"Study {study!r}, protocol {protocol!r}, backbone {backbone}; "
            f"mean and sd over {int(rows.n.max())} seeds",
            fontsize=7.5,
            color="#555555",
        )
    return figure


def save(figure: Figure, path: str, file_format: str) -> None:
    """Write a figure without dates in it, so that equal numbers give equal files."""
    metadata: Mapping[str, Mapping[str, None]] = {
        "svg": {"Date": None},
        "pdf": {"CreationDate": None},
        "png": {},
    }
    with mpl.rc_context(STYLE):
        figure.savefig(path, format=file_format, dpi=200, metadata=metadata[file_format])
