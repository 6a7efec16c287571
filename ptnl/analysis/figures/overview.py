"""Every method of a study at every rate of its random noise, as dots in a row."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ptnl.analysis.figures.style import (
    COLOURS,
    GREY,
    MARKERS,
    PANELS_A_ROW,
    STYLE,
    caption,
    seeds_text,
)
from ptnl.analysis.overview import OWN, ZERO_SHOT, block_title
from ptnl.analysis.tables import Origin
from ptnl.data import in_order, title_of
from ptnl.methods import METHODS
from ptnl.schemas import rows_of

RATES = mpl.colormaps["viridis_r"]
LIGHTEST, DARKEST = 0.42, 0.98  # of it; lighter colours are hard to see on a white page
ROW = 0.21  # inches a method
WIDTHS = {1: 5.0, 2: 3.6}  # inches a panel, by the number of data sets
WIDTH_OF_MANY = 2.6
Looks = dict[float, tuple[str, str]]  # colour and marker of every rate


def overview_figure(overview: pd.DataFrame, origin: Origin) -> Figure:
    """A panel per (kind of noise, data set), a row per method, a dot per rate; primary backbone.

    overview : see `ptnl.schemas.OVERVIEW`
    """
    rows = overview[overview.backbone == origin.backbone]
    datasets = in_order(rows.dataset)
    kinds = list(dict.fromkeys(rows.noise))
    methods = {kind: _methods(rows[rows.noise == kind]) for kind in kinds}
    kinds = [
        kind for kind in kinds if kind != OWN or methods[OWN] != [ZERO_SHOT] or len(kinds) == 1
    ]
    rates = sorted(rows.rate[rows.noise != OWN].unique())
    looks = _looks(rates)
    columns = min(len(datasets), PANELS_A_ROW)
    # Many data sets are drawn in several bands, each of which repeats the kinds of noise.
    lines = [
        (kind, datasets[first : first + columns])
        for first in range(0, len(datasets), columns)
        for kind in kinds
    ]
    heights = [ROW * len(methods[kind]) + 0.55 for kind, _ in lines]
    width = WIDTHS.get(columns, WIDTH_OF_MANY)
    size = (2.0 + width * columns, sum(heights) + 0.9)
    with mpl.rc_context({**STYLE, "axes.grid.axis": "both"}):
        figure = Figure(figsize=size, layout="constrained")
        placed = figure.subplots(
            len(lines),
            columns,
            squeeze=False,
            sharex="all",
            sharey="row",
            height_ratios=heights,
        )
        for (kind, shown), line in zip(lines, placed, strict=True):
            for axes in line[len(shown) :]:
                axes.remove()
            for dataset, axes in zip(shown, line, strict=False):
                part = rows[(rows.noise == kind) & (rows.dataset == dataset)]
                _draw(axes, part, methods[kind], looks if kind != OWN else {0.0: (GREY, "o")})
                title = block_title(rows[rows.noise == kind]).lower()
                axes.set_title(f"{title_of(dataset)}: {title}", loc="left", fontsize=9)
        if len(rates) > 1:
            _key(figure, looks)
        seeds = rows.n[rows.method.map(lambda name: METHODS[name].is_trained)].max()
        says = [f"bars: sd over {seeds_text(int(seeds), 'bars')}"] if seeds > 1 else []
        says += ["dashed: zero-shot"] if {ZERO_SHOT} < set(rows.method) else []
        caption(figure, "; ".join(["Top-1 accuracy (%)", *says, str(origin)]))
    return figure


def _looks(rates: list[float]) -> Looks:
    """Darker colours for higher rates; markers differ as well."""
    colours = [COLOURS[0]]
    if len(rates) > 1:
        colours = [mpl.colors.to_hex(c) for c in RATES(np.linspace(LIGHTEST, DARKEST, len(rates)))]
    return {
        rate: (colour, MARKERS[place % len(MARKERS)])
        for place, (rate, colour) in enumerate(zip(rates, colours, strict=False))
    }


def _methods(rows: pd.DataFrame) -> list[str]:
    """The methods of a kind of noise, zero-shot first."""
    found = set(rows.method)
    return [name for name in METHODS if name in found]


def _draw(axes: Axes, rows: pd.DataFrame, methods: list[str], looks: Looks) -> None:
    zero_shot = rows[rows.method == ZERO_SHOT]
    if len(zero_shot):
        axes.axvline(zero_shot["mean"].iloc[0], color=GREY, linewidth=0.8, linestyle="--")
    for place, method in enumerate(methods):
        points = rows[rows.method == method].sort_values("rate")
        if method == ZERO_SHOT:
            points = points.head(1)
        axes.plot(points["mean"], [place] * len(points), color="#c9c9c9", linewidth=2, zorder=1)
        for point in rows_of(points):
            colour, marker = (GREY, "o") if method == ZERO_SHOT else looks[point.rate]
            axes.errorbar(
                point.mean,
                place,
                xerr=0 if np.isnan(point.sd) else point.sd,
                fmt=marker,
                color=colour,
                ms=5,
                elinewidth=1,
                zorder=2,
            )
    axes.set_yticks(range(len(methods)), [METHODS[name].title for name in methods])
    axes.tick_params(length=0)
    axes.set_ylim(len(methods) - 0.4, -0.6)


def _key(figure: Figure, looks: Looks) -> None:
    """Add the legend: which colour and marker stand for which rate."""
    handles = [
        mpl.lines.Line2D(
            [], [], color=colour, marker=marker, linestyle="", label=f"{rate:g} % wrong"
        )
        for rate, (colour, marker) in looks.items()
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=len(handles), frameon=False)
