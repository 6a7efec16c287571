"""Accuracy over the noise rate (Figures 1, 2, 5, 8, 9)."""

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ptnl.analysis.figures.style import (
    STYLE,
    LineEnd,
    LineStyle,
    caption,
    is_first_in_row,
    label_lines,
    line_style,
    panels,
    same_span,
    seeds_text,
)
from ptnl.analysis.tables import Origin
from ptnl.data import in_order
from ptnl.methods import METHODS
from ptnl.study.layouts import Figure as Layout
from ptnl.study.layouts import noise_title, shown


def _draw_line(axes: Axes, points: pd.DataFrame, line: LineStyle) -> None:
    axes.plot(
        points.rate, points["mean"], line.dashes, marker=line.marker, color=line.colour, ms=4.5
    )
    spread = points.sd.fillna(0)
    axes.fill_between(
        points.rate,
        points["mean"] - spread,
        points["mean"] + spread,
        color=line.colour,
        alpha=0.12,
        linewidth=0,
    )


def accuracy_over_rate(summary: pd.DataFrame, layout: Layout, origin: Origin) -> Figure:
    """Top-1 accuracy over the noise rate, a panel per data set, a labelled line per method."""
    rows = summary[
        (summary.backbone == origin.backbone)
        & summary.noise.isin(layout.noises)
        & summary.method.isin(layout.methods)
    ]
    datasets = shown(layout, in_order(rows.dataset))
    with mpl.rc_context(STYLE):
        figure, placed = panels(datasets, 3.7, 3.1, names=1.4)
        ends: dict[Axes, list[LineEnd]] = {}
        ranges = {}
        for dataset, axes in placed.items():
            part = rows[rows.dataset == dataset]
            ends[axes] = []
            for method in layout.methods:
                points = part[part.method == method].sort_values("rate")
                line = line_style(method, layout.methods)
                _draw_line(axes, points, line)
                label = layout.labels.get(method, METHODS[method].title)
                ends[axes].append((part.rate.max(), points["mean"].iloc[-1], label, line.colour))
            spread = part.sd.fillna(0)
            ranges[axes] = (part["mean"] - spread).min(), (part["mean"] + spread).max()
            axes.set_xlabel("Wrong labels (%)")
            axes.set_xticks(sorted(part.rate.unique()))
            axes.xaxis.set_major_formatter("{x:g}")
            if is_first_in_row(axes):
                axes.set_ylabel("Top-1 accuracy (%)")
        span = same_span(ranges)
        label_lines(figure, ends)
        kinds = ", ".join(noise_title(kind) for kind in layout.noises)
        equal = f"; every panel spans {span:.0f} points" if len(placed) > 1 else ""
        seeds = seeds_text(int(rows.n.max()), "bands")
        caption(figure, f"{kinds} noise, mean and sd over {seeds}, {origin}{equal}")
    return figure
