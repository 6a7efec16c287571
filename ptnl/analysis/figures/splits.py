"""What methods take as rightly labelled, over training: precision and recall (Figure 11)."""

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ptnl.analysis.figures.style import (
    GREY,
    STYLE,
    LineEnd,
    caption,
    is_first_in_row,
    label_lines,
    line_style,
    panels,
    seeds_text,
)
from ptnl.analysis.tables import Origin
from ptnl.data import in_order
from ptnl.methods import METHODS
from ptnl.study.layouts import Figure as Layout
from ptnl.study.layouts import noise_title, shown

RATE = 50.0  # percent of wrong labels that is drawn, or the study's nearest
MARKED = 8  # points of a line, about, that have a marker


def splits_over_epochs(splits: pd.DataFrame, layout: Layout, origin: Origin) -> Figure:
    """Precision (full) and recall (dashed) over epochs, a panel per data set, a colour per method.

    splits : see `ptnl.schemas.SPLITS`
    """
    rows = splits[(splits.backbone == origin.backbone) & splits.method.isin(layout.methods)]
    rates = 100 * rows.fp / rows.shots
    rate = min(rates.unique(), key=lambda rate: (abs(rate - RATE), rate))
    rows = rows[rates == rate]
    datasets = shown(layout, in_order(rows.dataset))
    with mpl.rc_context(STYLE):
        figure, placed = panels(datasets, 4.2, 3.3, names=1.7)
        ends: dict[Axes, list[LineEnd]] = {}
        for dataset, axes in placed.items():
            part = rows[rows.dataset == dataset]
            ends[axes] = []
            # Taking every image as clean has the precision of the labels themselves.
            axes.hlines(100 - rate, 0, part.epoch.max(), color=GREY, linewidth=0.8)
            for method in layout.methods:
                line = line_style(method, layout.methods)
                epochs = part[part.method == method].groupby("epoch")
                for column, dashes, word in (
                    ("split_precision", "-", "precision"),
                    ("split_recall", "--", "recall"),
                ):
                    mean, spread = epochs[column].mean(), epochs[column].std().fillna(0)
                    axes.plot(
                        mean.index,
                        mean,
                        dashes,
                        color=line.colour,
                        marker=line.marker,
                        markevery=max(1, len(mean) // MARKED),
                        ms=4,
                    )
                    axes.fill_between(
                        mean.index,
                        (mean - spread).clip(lower=0),
                        (mean + spread).clip(upper=100),
                        color=line.colour,
                        alpha=0.1,
                        lw=0,
                    )
                    label = f"{METHODS[method].title}, {word}"
                    ends[axes].append((part.epoch.max(), mean.iloc[-1], label, line.colour))
            axes.set_xlabel("Epoch")
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
            if is_first_in_row(axes):
                axes.set_ylabel("Labels taken as right (%)")
        low, high = zip(*(axes.get_ylim() for axes in placed.values()), strict=True)
        for axes in placed.values():
            axes.set_ylim(min(low), max(high))
        label_lines(figure, ends)
        noise = noise_title(rows.noise.iloc[0]).lower()
        seeds = seeds_text(rows.seed.nunique(), "bands")
        caption(
            figure,
            f"Precision and recall of the labels that a method takes as right, {noise} noise, "
            f"{rate:g} % wrong labels, mean and sd over {seeds}, "
            f"{origin}; the grey line is the precision of taking all of them",
        )
    return figure
