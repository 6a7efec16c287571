"""What a step costs, over classes and over runs that are trained side by side (`ptnl bench`)."""

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ptnl.figures.style import STYLE, caption, spread_labels

# Okabe & Ito's palette, safe for the colour-blind: one colour a backbone.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9")


def cost_over_classes_and_runs(bench: pd.DataFrame) -> Figure:
    """Seconds of a step: of ours and the reference over classes, and of ours a run over runs.

    bench : see `ptnl.schemas.BENCH`. Hollow markers are times scaled from fewer classes.
    """
    colours = dict(zip(bench.backbone.unique(), COLOURS, strict=False))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 3.6), layout="constrained")
        over_classes, over_runs = figure.subplots(1, 2)
        _draw_over_classes(over_classes, bench[bench.runs == bench.runs.min()], colours)
        _draw_over_runs(over_runs, bench, colours)
        device, threads = bench.device.iloc[0], bench.threads.iloc[0]
        where = f"CPU, threads: {threads}" if device == "cpu" else device
        caption(figure, f"Whole step, float32, {where}; hollow: scaled from fewer classes")
    return figure


def _draw_over_classes(axes: Axes, rows: pd.DataFrame, colours: dict[str, str]) -> None:
    ends = []
    for backbone, colour in colours.items():
        points = rows[rows.backbone == backbone].sort_values("classes")
        scaled = points[points.classes_reference < points.classes]
        axes.plot(points.classes, points.step_seconds, "-o", color=colour, ms=4.5)
        axes.plot(points.classes, points.step_seconds_reference, "--s", color=colour, ms=4.5)
        axes.plot(
            scaled.classes, scaled.step_seconds_reference, "s", color=colour, mfc="white", ms=4.5
        )
        ends += [
            (points.step_seconds.iloc[-1], f"{backbone}, ours", colour),
            (points.step_seconds_reference.iloc[-1], f"{backbone}, reference", colour),
        ]
    _finish(axes, sorted(rows.classes.unique()), ends)
    axes.set_xlabel("Classes")
    axes.set_ylabel("Seconds a step")


def _draw_over_runs(axes: Axes, bench: pd.DataFrame, colours: dict[str, str]) -> None:
    ends = []
    for backbone, colour in colours.items():
        points = bench[bench.backbone == backbone]
        most = points.classes.max()
        points = points[points.classes == most].sort_values("runs")
        axes.plot(points.runs, points.step_seconds, "-o", color=colour, ms=4.5)
        ends.append((points.step_seconds.iloc[-1], f"{backbone}, {most} classes", colour))
    _finish(axes, sorted(bench.runs.unique()), ends)
    axes.set_xlabel("Runs trained side by side")
    axes.set_ylabel("Seconds a step and run (ours)")


def _finish(axes: Axes, ticks: list[int], ends: list[tuple[float, str, str]]) -> None:
    """Logarithmic scales, and the lines' names at their ends (y, text, colour), moved apart."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    low, high = np.log10(axes.get_ylim())
    places = spread_labels(np.log10([y for y, _, _ in ends]), 0.075 * (high - low))
    for (_, text, colour), place in zip(ends, 10**places, strict=True):
        axes.annotate(
            text,
            (ticks[-1], place),
            xytext=(7, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            annotation_clip=False,
        )
