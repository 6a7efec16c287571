"""Single classes, confusion matrices and learning curves of every method on one data set."""

from collections.abc import Iterable

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.typing import LineStyleType

from ptnl.analysis.details import at_most_noise
from ptnl.analysis.figures.confusion import (
    CONFUSION_STYLE,
    NAMES,
    confusion_order,
    draw_matrix,
)
from ptnl.analysis.figures.scripts import families_for, labels, numbers_note
from ptnl.analysis.figures.style import STYLE, caption, seeds_text
from ptnl.analysis.tables import Origin
from ptnl.data import title_of
from ptnl.methods import METHODS
from ptnl.study.layouts import labels_in_words

A_ROW = 4  # small panels: shrunk to a page, the letters of more would be too small to read
NAMED = 12  # classes at most whose names fit below and beside every small panel
BESIDE = 24  # names at most beside the first small panel of a row, in letters of size SMALL
SMALL = 5
LETTER = 0.08  # inches that a letter of an upright name takes
# Column of a history -> what it is, and its line.
CURVES: dict[str, tuple[str, str, LineStyleType]] = {
    "accuracy_clean": ("rightly labelled shots", "#0072B2", "-"),
    "accuracy_noisy": ("wrongly labelled shots, against the wrong label", "#D55E00", "--"),
    "accuracy_true": ("all shots, against the true labels", "#009E73", ":"),
}
ONLY_CURVE = "accuracy_clean"  # where no label was made wrong, for all three are then equal


def _in_order(methods: Iterable[str]) -> list[str]:
    found = set(methods)
    return [name for name in METHODS if name in found]


def _what(dataset: str, noise: str, rate: float) -> str:
    return f"{title_of(dataset)}, {labels_in_words(noise, rate)}"


def _nothing(text: str) -> Figure:
    """A small figure that says why it shows nothing."""
    figure = Figure(figsize=(6, 0.8), layout="constrained")
    caption(figure, text)
    return figure


def class_figure(accuracy: pd.DataFrame, noise: str, origin: Origin) -> Figure:
    """Accuracy of every class (columns) with every method (rows), at the highest rate.

    accuracy : of one data set; see `ptnl.schemas.CLASS_ACCURACY`
    """
    rows = at_most_noise(accuracy, origin.backbone, noise)
    methods = _in_order(rows.method)
    wide = rows.pivot(index="method", columns="class_name", values="mean").loc[methods]
    wide = wide[wide.mean().sort_values(ascending=False).index]
    names, by_label = list(wide.columns), list(dict.fromkeys(rows.class_name))
    text_of = dict(zip(by_label, labels(by_label), strict=True))
    width = 2.2 + min(0.16 * len(names), 12)
    with mpl.rc_context(CONFUSION_STYLE):
        figure = Figure(figsize=(max(width, 6), 0.2 * len(methods) + 1.9), layout="constrained")
        axes = figure.subplots()
        image = axes.imshow(
            wide.to_numpy(),
            cmap="viridis",
            vmin=0,
            vmax=100,
            aspect="auto",
            interpolation="nearest",
        )
        places = range(0, len(names), -(-len(names) // (2 * NAMES)))
        texts = [text_of[names[place]] for place in places]
        fonts = families_for(texts)
        room = (max(width, 6) - 2.2) / len(texts)  # inches a name
        rotation, size = (0, 8.0) if max(map(len, texts)) * LETTER < room else (90, 6.5)
        axes.set_xticks(
            places, texts, rotation=rotation, fontsize=size, fontfamily=fonts, parse_math=False
        )
        axes.set_yticks(range(len(methods)), [METHODS[name].title for name in methods])
        axes.tick_params(length=0)
        bar = figure.colorbar(image, ax=axes, pad=0.01)
        bar.set_label("Accuracy (%)")
        bar.outline.set_visible(False)
        caption(
            figure,
            f"{_what(rows.dataset.iloc[0], noise, rows.rate.max())}, mean over "
            f"{seeds_text(int(rows.n.max()))}; classes from the easiest to the hardest; "
            f"{numbers_note(names)}{origin}",
        )
    return figure


def confusion_figure(
    mistakes: pd.DataFrame, accuracy: pd.DataFrame, noise: str, origin: Origin
) -> Figure:
    """A confusion matrix of every method, at the highest rate, with classes in one order.

    mistakes, accuracy : of one data set; see `ptnl.schemas.MISTAKES`, `CLASS_ACCURACY`
    """
    right = at_most_noise(accuracy, origin.backbone, noise)
    wrong = at_most_noise(mistakes, origin.backbone, noise)
    names = list(dict.fromkeys(right.class_name))
    place_of = {name: place for place, name in enumerate(names)}
    matrices = {}
    for method in _in_order(right.method):
        matrix = np.zeros((len(names), len(names)))
        pairs = wrong[(wrong.method == method) & wrong.predicted_class.isin(names)]
        matrix[pairs.true_class.map(place_of), pairs.predicted_class.map(place_of)] = pairs.percent
        own = right[right.method == method]
        matrix[own.class_name.map(place_of), own.class_name.map(place_of)] = own["mean"]
        matrices[method] = matrix
    order = confusion_order(np.mean(list(matrices.values()), axis=0))
    texts = [labels(names)[place] for place in order]
    columns = min(len(matrices), A_ROW)
    lines = -(-len(matrices) // columns)
    with mpl.rc_context(CONFUSION_STYLE):
        figure = Figure(figsize=(2.3 * columns + 0.6, 2.4 * lines + 0.5), layout="constrained")
        placed = figure.subplots(lines, columns, squeeze=False).flat
        for place, (axes, (method, matrix)) in enumerate(
            zip(placed, matrices.items(), strict=False)
        ):
            named = len(names) <= NAMED or place % columns == 0
            shown = matrix[np.ix_(order, order)]
            image = draw_matrix(axes, shown, texts, BESIDE if named else 0)
            if len(names) > NAMED:
                axes.tick_params(axis="x", bottom=False, labelbottom=False)
                axes.tick_params(axis="y", labelsize=SMALL)
            axes.set_title(METHODS[method].title, loc="left", fontsize=8)
        for axes in placed[len(matrices) :]:
            axes.remove()
        bar = figure.colorbar(image, ax=figure.axes, shrink=0.6, pad=0.01)
        bar.set_label("Test images of the true class (%)")
        bar.outline.set_visible(False)
        caption(
            figure,
            f"{_what(right.dataset.iloc[0], noise, right.rate.max())}, mean over "
            f"{seeds_text(int(right.n.max()))}; rows are true classes, columns predictions "
            "in the same order; classes that are taken for each other stand side by side"
            f"{', and only some of them are named' if len(names) > BESIDE else ''}; "
            f"{numbers_note(names)}{origin}",
        )
    return figure


def learning_figure(curves: pd.DataFrame, noise: str, origin: Origin) -> Figure:
    """Accuracy on the training shots over epochs, a small panel per method, at the highest rate.

    curves : of one data set; see `ptnl.schemas.CURVES`
    """
    rows = curves[(curves.backbone == origin.backbone) & (curves.noise == noise)]
    rows = rows[rows.fp == rows.fp.max()]
    epochs = rows.groupby("method").apply(lambda part: part.groupby("seed").epoch.count().max())
    methods = _in_order(epochs[epochs > 1].index) if len(rows) else []
    curves_shown = CURVES if rows.fp.any() else {ONLY_CURVE: CURVES[ONLY_CURVE]}
    if not methods:
        return _nothing(f"No method is trained over several epochs under {noise} noise; {origin}")
    columns = min(len(methods), A_ROW)
    lines = -(-len(methods) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(2.2 * columns, 5.5), 1.9 * lines + 1.0), layout="constrained")
        grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True)
        for axes, method in zip(grid.flat, methods, strict=False):
            part = rows[rows.method == method]
            for column, (_, colour, dashes) in curves_shown.items():
                mean = part.groupby("epoch")[column].mean()
                axes.plot(mean.index, mean, dashes, color=colour, linewidth=1.3)
            axes.set_title(METHODS[method].title, loc="left", fontsize=8)
            axes.set_ylim(-3, 103)
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
            axes.tick_params(labelbottom=True)
        for axes in grid.flat[len(methods) :]:
            axes.remove()
        for axes in grid[:, 0]:
            axes.set_ylabel("Accuracy (%)", fontsize=8)
        for axes in grid.flat[max(0, len(methods) - columns) : len(methods)]:
            axes.set_xlabel("Epoch", fontsize=8)
        handles = [
            mpl.lines.Line2D([], [], color=colour, linestyle=dashes, label=title)
            for title, colour, dashes in curves_shown.values()
        ]
        if len(handles) > 1:
            figure.legend(
                handles=handles,
                loc="outside upper left",
                ncols=len(handles) if columns > 3 else 1,
                frameon=False,
                fontsize=8,
            )
        caption(
            figure,
            f"{_what(rows.dataset.iloc[0], noise, rows.rate.max())}, over epochs, mean over "
            f"{seeds_text(rows.seed.nunique())}; {origin}",
        )
    return figure
