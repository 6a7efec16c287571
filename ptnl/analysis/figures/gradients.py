"""Gradients of wrong labels against those of right ones, over training (Figure 4)."""

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ptnl.analysis.figures.style import GREY, LINES, STYLE, caption, label_lines, panels
from ptnl.analysis.tables import Origin
from ptnl.data import in_order
from ptnl.methods import METHODS
from ptnl.study.layouts import Figure as Layout
from ptnl.study.layouts import shown


def gradient_ratio(gradients: pd.DataFrame, layout: Layout, origin: Origin) -> Figure:
    """Noisy-to-clean ratio of gradient norms over epochs, a panel a data set, a line a method.

    gradients : see `ptnl.schemas.GRADIENTS`
    """
    rows = gradients[
        (gradients.backbone == origin.backbone) & gradients.method.isin(layout.methods)
    ]
    datasets = shown(layout, in_order(rows.dataset))
    with mpl.rc_context(STYLE):
        figure, placed = panels(datasets, 3.7, 3.1)
        for dataset, axes in placed.items():
            part = rows[rows.dataset == dataset]
            ends = []
            axes.axhline(1, color=GREY, linewidth=0.8)
            for method in layout.methods:
                line = LINES[method]
                epochs = part[part.method == method].groupby("epoch").ratio
                mean, spread = epochs.mean(), epochs.std().fillna(0)
                axes.plot(mean.index, mean, line.dashes, color=line.colour)
                axes.fill_between(
                    mean.index,
                    mean - spread,
                    mean + spread,
                    color=line.colour,
                    alpha=0.12,
                    linewidth=0,
                )
                last = part.epoch.max(), mean.iloc[-1]
                ends.append((*last, METHODS[method].title, line.colour))
            axes.set_xlabel("Epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            label_lines(axes, ends)
            axes.set_ylabel("Noisy-to-clean gradient ratio")
        rate = 100 * (rows.fp / rows.shots).max()
        caption(
            figure,
            f"{rate:g} % wrong labels, mean and sd over {rows.seed.nunique()} seeds, {origin}; "
            "above 1, wrong labels pull harder than right ones",
        )
    return figure
