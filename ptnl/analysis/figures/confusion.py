"""Confusion matrices, with classes that are taken for each other side by side (Figure 6)."""

from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.typing import RcKeyType
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from ptnl.analysis.figures.scripts import families_for, labels, numbers_note
from ptnl.analysis.figures.style import STYLE, caption, panels
from ptnl.analysis.tables import Origin
from ptnl.data import in_order
from ptnl.study.layouts import Figure as Layout
from ptnl.study.layouts import shown

NAMES = 40  # names at an axis at most; of more classes, only every nth is named
CONFUSION_STYLE: dict[RcKeyType, Any] = {**STYLE, "axes.grid": False}
# Most mistakes are rare: a square-root scale makes them visible.
SCALE = PowerNorm(0.5, vmin=0, vmax=100)


def confusion_order(matrix: np.ndarray) -> np.ndarray:
    """An order of the classes (C) that puts those next to each other that are taken for each other.

    The leaves of an average-linkage tree over what two classes share.

    matrix : (C, C), percent of the images of the true class (row) taken for another (column)
    """
    if len(matrix) < 3:
        return np.arange(len(matrix))
    distance = 100 - (matrix + matrix.T) / 2
    np.fill_diagonal(distance, 0)
    return leaves_list(linkage(squareform(distance, checks=False), "average"))


def draw_matrix(axes: Axes, matrix: np.ndarray, names: list[str], labelled: int) -> AxesImage:
    """A confusion matrix with the names of every nth class, `labelled` of them at most."""
    image = axes.imshow(matrix, cmap="Blues", norm=SCALE, interpolation="nearest")
    places = range(0, len(names), -(-len(names) // labelled)) if labelled else ()
    texts = [names[place] for place in places]
    fonts = families_for(texts)
    axes.set_xticks(places, texts, rotation=90, fontfamily=fonts, parse_math=False)
    axes.set_yticks(places, texts, fontfamily=fonts, parse_math=False)
    axes.tick_params(length=2 if labelled else 0, labelsize=6, pad=1)
    return image


def confusion_matrices(confusion: pd.DataFrame, layout: Layout, origin: Origin) -> Figure:
    """How often a random prompt takes the images of a class for each class, a panel per data set.

    confusion : see `ptnl.schemas.CONFUSION`
    """
    rows = confusion[confusion.backbone == origin.backbone]
    datasets = shown(layout, in_order(rows.dataset))
    with mpl.rc_context(CONFUSION_STYLE):
        figure, placed = panels(datasets, 4.8, 4.6)
        for dataset, axes in placed.items():
            part = rows[rows.dataset == dataset]
            names = list(dict.fromkeys(part.true_class))
            matrix = part.percent.to_numpy().reshape(len(names), len(names))
            order = confusion_order(matrix)
            texts = labels(names)
            image = draw_matrix(
                axes, matrix[np.ix_(order, order)], [texts[place] for place in order], NAMES
            )
            axes.set_xlabel("Predicted class")
            axes.set_ylabel("True class")
        bar = figure.colorbar(image, ax=list(placed.values()), shrink=0.7, pad=0.01)
        bar.set_label("Test images of the true class (%)")
        bar.outline.set_visible(False)
        caption(
            figure,
            "Mean over prompts of random context tokens; classes that are taken for each other "
            f"stand side by side{_gaps(rows, datasets)}; {numbers_note(rows.true_class)}{origin}",
        )
    return figure


def _gaps(rows: pd.DataFrame, datasets: list[str]) -> str:
    """What a caption says where some data set has too many classes to name them all."""
    classes = rows[rows.dataset.isin(datasets)].groupby("dataset").true_class.nunique()
    return ", and only some of them are named" if classes.max() > NAMES else ""
