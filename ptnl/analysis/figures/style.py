"""What all figures share: style, line styles, panels, direct labels, saving."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType

from ptnl.data import title_of

STYLE: dict[RcKeyType, Any] = {
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
LineEnd = tuple[float, float, str, str]  # x, y, text, colour
GREY = "#555555"
PANELS_A_ROW = 4
# Of more panels in a row, each is so wide and high (inches), and only the last one names its lines:
# shrunk to a page, the letters of wider figures would be too small to read.
FEW, NARROW, LOW = 2, 1.8, 2.5
CAPTION_LETTERS = 17  # an inch holds, at the caption's size
LINE_SPACING = 1.25  # of labels, in font sizes


# For lines that have no style of their own: Okabe & Ito's palette, safe for the colour-blind. Its
# sky blue and orange are darker here: every colour has a contrast of 3:1 or more with a white page.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#1F9BB5", "#B87A00")
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P", "x")


@dataclass(frozen=True)
class LineStyle:
    """Colour tells the family, dashes and marker the member, so lines differ without colour too."""

    colour: str  # of `COLOURS`, or as easy to see; context lengths go from teal to dark blue
    dashes: str
    marker: str


LINES = {
    "prompt_gce": LineStyle("#0072B2", "-", "o"),
    "prompt_ce": LineStyle("#0072B2", "--", "s"),
    "prompt_sce": LineStyle("#009E73", "-.", "D"),
    "prompt_nce_rce": LineStyle("#CC79A7", ":", "P"),
    "prompt_double_softmax": LineStyle("#1F9BB5", ":", "P"),
    "nlprompt": LineStyle("#009E73", "-", "D"),
    "tecoprompt": LineStyle("#B87A00", "-.", "X"),
    "joapr": LineStyle("#CC79A7", "-", "s"),
    "early_learning": LineStyle("#D55E00", "-.", "<"),
    "clap": LineStyle("#5c4a00", ":", "v"),
    "tip_adapter_f": LineStyle("#7a3db8", "--", "*"),
    "linear_probe_gce": LineStyle("#D55E00", "-", "^"),
    "linear_probe": LineStyle("#D55E00", "--", "v"),
    "linear_probe_sgd": LineStyle("#D55E00", "--", "v"),
    "finetune": LineStyle("#009E73", "-.", "D"),
    "prompt_ctx0": LineStyle("#8c8c8c", ":", "x"),
    "prompt_ctx4": LineStyle("#199a9a", "-", "^"),
    "prompt_ctx8": LineStyle("#2f93cf", "-.", "D"),
    "prompt_ctx32": LineStyle("#003a5d", "-", "o"),
}


def line_style(method: str, methods: Sequence[str]) -> LineStyle:
    """A method's line among others: its own, or one that its place among those without decides."""
    if method in LINES:
        return LINES[method]
    place = [name for name in methods if name not in LINES].index(method)
    return LineStyle(
        COLOURS[place % len(COLOURS)],
        DASHES[place // len(COLOURS) % len(DASHES)],
        MARKERS[place % len(MARKERS)],
    )


def panels(
    datasets: list[str], width: float, height: float, names: float = 0.0
) -> tuple[Figure, dict[str, Axes]]:
    """A figure with one titled panel per data set, at most four in a row, each of this size.

    A single panel is half as large again; of more than two in a row, those of lines are smaller.

    width, height : inches
    names : of the width, inches that the names of lines take (`label_lines`)
    """
    columns = min(len(datasets), PANELS_A_ROW)
    rows = -(-len(datasets) // columns)
    if len(datasets) == 1:
        width, height = 1.5 * width, 1.3 * height
    whole = width * columns
    if names and columns > FEW:
        whole, height = NARROW * columns + names, LOW
    figure = Figure(figsize=(whole, height * rows + 0.3), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).flat
    for axes in grid[len(datasets) :]:
        axes.remove()
    placed = dict(zip(datasets, grid, strict=False))
    for name, axes in placed.items():
        axes.set_title(title_of(name), loc="left", fontweight="bold")
    return figure, placed


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


def label_lines(figure: Figure, ends: Mapping[Axes, Sequence[LineEnd]]) -> None:
    """Name lines at their right ends, moved apart where the names would touch.

    Of more than two panels in a row, only the last names its lines. Call it when all panels are
    drawn: how far apart names must stand depends on the panels' final height. Where they do not fit
    into it, they are set smaller.

    ends : panel -> the ends of its lines
    """
    figure.draw_without_rendering()  # so that the layout is done
    for axes, lines in ends.items():
        if not is_last_in_row(axes, figure):
            continue
        height = axes.get_window_extent().height * 72 / figure.dpi  # points
        size = min(float(mpl.rcParams["font.size"]), height / (LINE_SPACING * len(lines)))
        scale = axes.yaxis.get_transform()
        low, high = scale.transform(axes.get_ylim())
        distance = LINE_SPACING * size / height * (high - low)
        heights = scale.transform(np.array([y for _, y, _, _ in lines]))
        places = within(spread_labels(heights, distance), distance, low, high)
        for (x, _, text, colour), place in zip(
            lines, scale.inverted().transform(places), strict=True
        ):
            axes.annotate(
                text,
                (x, place),
                xytext=(7, 0),
                textcoords="offset points",
                va="center",
                color=colour,
                fontsize=size,
                annotation_clip=False,
                in_layout=is_in_last_column(axes),  # else there is room where no panel is
            )


def is_last_in_row(axes: Axes, figure: Figure) -> bool:
    """Whether a panel names its lines: each where there are few in a row, else the last."""
    place = axes.get_subplotspec()
    assert place is not None
    columns = place.get_gridspec().ncols
    row = [
        (other.colspan.start, panel)
        for panel in figure.axes
        if (other := panel.get_subplotspec()) and other.rowspan == place.rowspan
    ]
    return columns <= FEW or max(row, key=lambda found: found[0])[1] is axes


def is_in_last_column(axes: Axes) -> bool:
    """Whether a panel ends at the right end of its figure, or of its part of few."""
    place = axes.get_subplotspec()
    assert place is not None
    columns = place.get_gridspec().ncols
    return columns <= FEW or place.colspan.stop == columns


def is_first_in_row(axes: Axes) -> bool:
    """Whether a panel names its y-axis: each where there are few in a row, else the first."""
    place = axes.get_subplotspec()
    assert place is not None
    return place.get_gridspec().ncols <= FEW or place.colspan.start == 0


def within(positions: np.ndarray, distance: float, low: float, high: float) -> np.ndarray:
    """Label positions pushed back into a range, in their order and `distance` apart."""
    order = np.argsort(positions)
    kept = positions[order]
    steps = distance * np.arange(len(kept))
    kept = np.maximum(kept, low + distance / 2 + steps)
    kept = np.minimum(kept, high - distance / 2 - steps[::-1])
    pushed = np.empty(len(kept))
    pushed[order] = kept
    return pushed


def same_span(panels: Mapping[Axes, tuple[float, float]]) -> float:
    """Give panels y-axes of equal length, each around its own values; returns that length.

    panels : panel -> its lowest and highest value
    """
    span = 1.1 * max(high - low for low, high in panels.values()) or 1.0
    for axes, (low, high) in panels.items():
        middle = (low + high) / 2
        axes.set_ylim(middle - span / 2, middle + span / 2)
    return span


def seeds_text(seeds: int, spread: str = "") -> str:
    """The number of seeds.

    spread : what shows their standard deviation, such as "bands"; of two seeds it says little, and
        the text says so
    """
    if seeds == 2 and spread:
        return f"2 seeds (too few for the {spread} to say much)"
    return f"{seeds} seed" if seeds == 1 else f"{seeds} seeds"


def caption(figure: Figure, text: str) -> None:
    """Say below a figure what its numbers are, in lines that fit its width."""
    letters = int(CAPTION_LETTERS * figure.get_figwidth())
    lines = textwrap.fill(text, letters, break_on_hyphens=False)
    figure.supxlabel(lines, fontsize=7.5, color=GREY)


def save(figure: Figure, path: Path, file_format: str) -> None:
    """Write a figure without dates in it, so that equal numbers give equal files.

    The first of a figure's files decides where everything is, and the others follow.
    """
    metadata: Mapping[str, Mapping[str, None]] = {
        "svg": {"Date": None},
        "pdf": {"CreationDate": None},
        "png": {},
    }
    with mpl.rc_context(STYLE):
        figure.savefig(path, format=file_format, dpi=200, metadata=metadata[file_format])
        figure.set_layout_engine(None)  # finding places again takes as long as drawing twice
