"""Gradients of wrong labels against those of right ones, over training (Figure 4)."""

from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ptnl.analysis.figures.style import (
    FEW,
    GREY,
    NARROW,
    STYLE,
    LineEnd,
    LineStyle,
    caption,
    label_lines,
    line_style,
    seeds_text,
)
from ptnl.analysis.tables import Origin
from ptnl.data import in_order, title_of
from ptnl.methods import METHODS
from ptnl.study.layouts import Figure as Layout
from ptnl.study.layouts import noise_title, shown

if TYPE_CHECKING:
    from pandas.core.groupby import SeriesGroupBy

# Both readings of "the gradient norm induced by noisy samples": column -> what it is the ratio of.
RATIOS = {
    "ratio_mean": "Ratio of mean norms\n(single images)",
    "ratio": "Ratio of norms\nof summed gradients",
}


def _draw(axes: Axes, epochs: "SeriesGroupBy[Any, Any]", line: LineStyle) -> float:
    """Mean and spread over seeds; returns where the line ends."""
    mean, spread = epochs.mean(), epochs.std().fillna(0)
    axes.plot(mean.index, mean, line.dashes, marker=line.marker, color=line.colour, ms=4)
    axes.fill_between(
        mean.index, mean - spread, mean + spread, color=line.colour, alpha=0.12, linewidth=0
    )
    return float(mean.iloc[-1])


def gradient_ratio(gradients: pd.DataFrame, layout: Layout, origin: Origin) -> Figure:
    """Noisy-to-clean ratios of gradient norms over the epochs at which they were measured.

    A column per data set, a row for each of `RATIOS`, a line per method.

    gradients : see `ptnl.schemas.GRADIENTS`
    """
    rows = gradients[
        (gradients.backbone == origin.backbone) & gradients.method.isin(layout.methods)
    ]
    datasets = shown(layout, in_order(rows.dataset))
    names, width = 1.4, 5.2 if len(datasets) == 1 else 3.7
    whole = width * len(datasets) if len(datasets) <= FEW else NARROW * len(datasets) + names
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(whole, 5.4), layout="constrained")
        placed = figure.subplots(
            len(RATIOS), len(datasets), squeeze=False, sharex=True, sharey="row"
        )
        ends: dict[Axes, list[LineEnd]] = {}
        for (column, title), line_of_axes in zip(RATIOS.items(), placed, strict=True):
            for dataset, axes in zip(datasets, line_of_axes, strict=True):
                part = rows[rows.dataset == dataset]
                ends[axes] = []
                axes.hlines(1, 0, part.epoch.max(), color=GREY, linewidth=0.8)
                for method in layout.methods:
                    line = line_style(method, layout.methods)
                    epochs = part[part.method == method].groupby("epoch")[column]
                    last = part.epoch.max(), _draw(axes, epochs, line)
                    ends[axes].append((*last, METHODS[method].title, line.colour))
                axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
            line_of_axes[0].set_ylabel(title)
        for dataset, axes in zip(datasets, placed[0], strict=True):
            axes.set_title(title_of(dataset), loc="left", fontweight="bold")
        for axes in placed[-1]:
            axes.set_xlabel("Epoch")
        label_lines(figure, ends)
        rate = 100 * (rows.fp / rows.shots).max()
        noise = noise_title(rows.noise.iloc[0])
        seeds = seeds_text(rows.seed.nunique(), "bands")
        caption(
            figure,
            f"Wrong over right labels, {noise.lower()} noise, {rate:g} %, "
            f"mean and sd over {seeds}, {origin}; above 1, wrong labels pull harder than right "
            "ones",
        )
    return figure
