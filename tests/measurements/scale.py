"""How time and memory grow with classes, runs and images, and how planning grows with runs.

    python -m tests.measurements.scale --out scale          # an hour of one core
    python -m tests.measurements.scale --out scale --only planning

The data are made up; the code that works on them is the project's. Each point is written to
`scale.csv` as soon as it is measured. Then slopes are printed, and `scale.svg` and `scale.png`
drawn. Slopes are taken on logarithmic scales, so 1 is linear growth. Time is CPU time on one
thread; memory is what a call needs beyond what the process held before.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import psutil
import torch
from matplotlib.figure import Figure

from ptnl.analysis.figures.style import COLOURS, GREY, MARKERS, STYLE, caption, save
from ptnl.bench.step_cost import peak_gib
from ptnl.machine.memory import keep_freed_memory
from tests.measurements.scale_work import Curve, Work, curves, planned_runs

SHORT, REPEATS = 0.5, 3  # work of fewer seconds is repeated three times, and the fastest counts


def cost(work: Work) -> tuple[float, float]:
    """CPU seconds of a call, and MiB that it needs beyond what the process held before."""
    before = psutil.Process().memory_info().rss
    mib = 1024 * peak_gib(torch.device("cpu"), work) - before / 2**20  # this call also warms up
    times: list[float] = []
    while not times or (times[0] < SHORT and len(times) < REPEATS):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times), max(mib, 0.0)


def cost_of_command(command: Sequence[str]) -> tuple[float, float]:
    """CPU seconds of a command; NaN for its memory, in which Linux counts that of the parent."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{' '.join(command)}: {said.decode()}")
    return used.ru_utime + used.ru_stime, float("nan")


def measured(curve: Curve) -> Iterator[dict]:
    """One row for each size."""
    for size in curve.sizes:
        with tempfile.TemporaryDirectory() as name:
            work = curve.work_at(size, Path(name))
            seconds, mib = cost_of_command(work) if isinstance(work, list) else cost(work)
        at = planned_runs(size) if curve.axis == "planning" else size
        yield {"curve": curve.name, "axis": curve.axis, "size": at, "seconds": seconds, "mib": mib}


def slopes(points: pd.DataFrame) -> pd.DataFrame:
    """One row for each curve: cost of the largest size, slopes over all and the last two sizes."""
    rows = []
    for (axis, name), of_curve in points.groupby(["axis", "curve"], sort=False):
        size, seconds = np.log(of_curve["size"]), np.log(of_curve.seconds)
        rows.append(
            {
                "over": axis,
                "work": name,
                "largest": of_curve["size"].iloc[-1],
                "seconds": of_curve.seconds.iloc[-1],
                "MiB": of_curve.mib.iloc[-1],
                "slope": np.polyfit(size, seconds, 1)[0],
                "slope at the end": np.polyfit(size[-2:], seconds[-2:], 1)[0],
                "slope of memory at the end": np.polyfit(
                    size[-2:], np.log(of_curve.mib[-2:].clip(lower=1)), 1
                )[0],
            }
        )
    return pd.DataFrame(rows)


AXES = {
    "classes": "Classes",
    "runs": "Runs side by side",
    "images": "Images",
    "planning": "Runs of the study",
}


def drawn(points: pd.DataFrame) -> Figure:
    """A figure with a column for each axis: time above, memory below; grey: linear growth."""
    with mpl.rc_context({**STYLE, "legend.fontsize": 6.5, "axes.grid.axis": "both"}):
        figure = Figure(figsize=(13, 7.2), layout="constrained")
        shown = [axis for axis in AXES if axis in set(points.axis)]
        grid = figure.subplots(2, len(shown), squeeze=False, sharex="col")
        for column, axis in enumerate(shown):
            of_axis = points[points.axis == axis]
            for row, (quantity, label) in enumerate(
                {"seconds": "CPU seconds", "mib": "MiB"}.items()
            ):
                axes = grid[row, column]
                for number, (name, curve) in enumerate(of_axis.groupby("curve", sort=False)):
                    style = {
                        "color": (*COLOURS, "#5c4a00", GREY)[number % 8],
                        "marker": MARKERS[number % 7],
                        "ms": 4,
                    }
                    floor = 1e-4 if quantity == "seconds" else 1
                    axes.plot(curve["size"], curve[quantity].clip(lower=floor), label=name, **style)
                sizes = np.array([of_axis["size"].min(), of_axis["size"].max()])
                highest = of_axis[quantity].max()
                axes.plot(sizes, highest * sizes / sizes[1], ":", color="#888888", lw=1)
                axes.set(xscale="log", yscale="log")
                if column == 0:
                    axes.set_ylabel(label)
            grid[0, column].legend(frameon=False)
            grid[1, column].set_xlabel(AXES[axis])
        caption(figure, "One thread; dotted: linear growth; memory below 1 MiB is drawn at 1 MiB")
    return figure


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument(
        "--only",
        choices=AXES,
        help="measure one axis only; keep the others as they are in scale.csv",
    )
    args = parser.parse_args(argv)
    keep_freed_memory()
    torch.set_num_threads(1)
    args.out.mkdir(parents=True, exist_ok=True)
    table = args.out / "scale.csv"
    rows = pd.read_csv(table).to_dict("records") if args.only and table.exists() else []
    rows = [row for row in rows if row["axis"] != args.only]
    for curve in curves():
        if args.only in (None, curve.axis):
            for row in measured(curve):
                print(row, file=sys.stderr, flush=True)
                rows.append(row)
                pd.DataFrame(rows).to_csv(table, index=False)
    points = pd.DataFrame(rows)
    print(slopes(points).round(4).to_markdown(index=False, floatfmt=".3g"))
    for suffix in ("svg", "png"):
        save(drawn(points), args.out / f"scale.{suffix}", suffix)


if __name__ == "__main__":
    main()
