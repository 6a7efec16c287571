"""What a step costs, over classes and over runs that are trained side by side (`ptnl bench`)."""

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ptnl.analysis.figures.style import COLOURS, STYLE, LineEnd, caption, label_lines


def cost_over_classes_and_runs(bench: pd.DataFrame) -> Figure:
    """Seconds of a step over classes, ours and the reference's, and our cost of a run over runs.

    bench : see `ptnl.schemas.BENCH`; of several precisions, the first is shown. Hollow markers are
        times scaled from fewer classes.
    """
    precision = bench.precision.iloc[0]
    bench = bench[bench.precision == precision]
    colours = dict(zip(bench.backbone.unique(), COLOURS, strict=False))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.6, 3.6), layout="constrained")
        over_classes, over_runs = figure.subplots(1, 2)
        ends = {
            over_classes: _draw_over_classes(over_classes, bench, colours),
            over_runs: _draw_over_runs(over_runs, bench, colours),
        }
        label_lines(figure, ends)
        device, threads = bench.device.iloc[0], bench.threads.iloc[0]
        where = f"CPU, threads: {threads}" if device == "cpu" else device
        caption(figure, f"Whole step, {precision}, {where}; hollow: scaled from fewer classes")
    return figure


def _draw_over_classes(axes: Axes, bench: pd.DataFrame, colours: dict[str, str]) -> list[LineEnd]:
    fewest = bench.runs.min()
    rows = bench[bench.runs == fewest]
    ends = []
    for backbone, colour in colours.items():
        points = rows[rows.backbone == backbone].sort_values("classes")
        scaled = points[points.classes_reference < points.classes]
        axes.plot(points.classes, points.step_seconds, "-o", color=colour, ms=4.5)
        axes.plot(points.classes, points.step_seconds_reference, "--s", color=colour, ms=4.5)
        axes.plot(
            scaled.classes, scaled.step_seconds_reference, "s", color=colour, mfc="white", ms=4.5
        )
        last = points.iloc[-1]
        ends += [
            (last.classes, last.step_seconds, f"{backbone}, ours", colour),
            (last.classes, last.step_seconds_reference, f"{backbone}, reference", colour),
        ]
    axes.set_title("A step", loc="left", fontweight="bold")
    axes.set_xlabel("Classes")
    axes.set_ylabel("Seconds" if fewest == 1 else f"Seconds per run, {fewest} side by side")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    _count_axis(axes, rows.classes)
    return ends


def _draw_over_runs(axes: Axes, bench: pd.DataFrame, colours: dict[str, str]) -> list[LineEnd]:
    ends = []
    for backbone, colour in colours.items():
        points = bench[bench.backbone == backbone]
        most = points.classes.max()
        points = points[points.classes == most].sort_values("runs")
        cost = 100 * points.step_seconds / points.step_seconds.iloc[0]
        axes.plot(points.runs, cost, "-o", color=colour, ms=4.5)
        ends.append((bench.runs.max(), cost.iloc[-1], f"{backbone}, {most} classes", colour))
    axes.set_ylim(bottom=0)
    axes.set_title("Runs side by side (ours)", loc="left", fontweight="bold")
    axes.set_xlabel("Runs")
    axes.set_ylabel("Seconds per run (% of the leftmost)")
    _count_axis(axes, bench.runs)
    return ends


def _count_axis(axes: Axes, counts: pd.Series) -> None:
    """A logarithmic axis of counts, with ticks at those that were measured."""
    ticks = sorted(counts.unique())
    axes.set_xscale("log")
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
