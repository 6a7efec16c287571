"""Confusion matrices of random prompts (Figure 6)."""

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ptnl.analysis.figures.style import STYLE, caption, panels
from ptnl.analysis.tables import Origin
from ptnl.data import in_order
from ptnl.study.layouts import Figure as Layout
from ptnl.study.layouts import shown

NAMED = 60  # classes at most, for their names to be legible at the axes


def _name_classes(axes: Axes, names: list[str]) -> None:
    """Every class by its name, or every tenth by its number where they are too many."""
    if len(names) > NAMED:
        axes.set_xticks(range(0, len(names), 10))
        axes.set_yticks(range(0, len(names), 10))
        return
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0, labelsize=4.5, pad=1)


def confusion_matrices(confusion: pd.DataFrame, layout: Layout, origin: Origin) -> Figure:
    """How often a random prompt takes the images of a class for each class, a panel a data set.

    confusion : see `ptnl.schemas.CONFUSION`
    """
    rows = confusion[confusion.backbone == origin.backbone]
    datasets = shown(layout, in_order(rows.dataset))
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure, placed = panels(datasets, 4.6, 4.4)
        for dataset, axes in placed.items():
            part = rows[rows.dataset == dataset]
            names = list(dict.fromkeys(part.true_class))
            matrix = part.percent.to_numpy().reshape(len(names), len(names))
            image = axes.imshow(matrix, cmap="Blues", vmin=0, vmax=100, interpolation="nearest")
            _name_classes(axes, names)
            axes.set_xlabel("Predicted class")
            axes.set_ylabel("True class")
        bar = figure.colorbar(image, ax=list(placed.values()), shrink=0.7, pad=0.01)
        bar.set_label("Test images of the true class (%)")
        bar.outline.set_visible(False)
        caption(figure, f"Mean over prompts of random context tokens, {origin}")
    return figure
