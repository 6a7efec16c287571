"""Plot accuracy at 50 % wrong labels over the share of zero-shot that random prompts keep.

It draws the rows that measure_mechanism.py writes, and prints their means. There is one row for
each run, with the columns

    dataset, tower, zero_shot_val, random_val, method, wrong_labels, seed, test_accuracy

All accuracies are in percent. zero_shot_val and random_val belong to the text tower and are
measured on validation images; they are empty for the linear probe, which has no text tower.
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ptnl.analysis.figures.style import (
    COLOURS,
    GREY,
    LINES,
    MARKERS,
    STYLE,
    caption,
    panels,
    save,
    seeds_text,
)
from ptnl.io import atomic_path

MARGIN = 4  # percent of free room at the ends of an axis
CAPTION = (
    "Prompt tuning with CE (16 context tokens, 16 shots, the paper's protocol), with text towers "
    "for one image tower. Hollow: clean labels. Filled: half of them wrong, symmetric noise. "
    "Bars: lowest and highest of {seeds}. Lines: the linear probe on the same image features, "
    "clean (dotted) and half wrong (dashed). Random prompts: on validation images."
)


def robustness(runs: pd.DataFrame) -> pd.DataFrame:
    """The accuracy that random prompts keep, and test accuracy with clean and wrong labels.

    Returns
    -------
    one row for each (dataset, tower), in the order of the runs. All columns are percents: kept (NaN
    for the linear probe); clean and noisy, the mean test accuracy over seeds, with its lowest and
    highest value as clean_low, clean_high, noisy_low and noisy_high; left, noisy over clean
    """
    keys = ["dataset", "tower"]
    towers = runs.groupby(keys, sort=False)
    kept = (100 * towers.random_val.first() / towers.zero_shot_val.first()).rename("kept")
    accuracies = [kept]
    for name, part in (
        ("clean", runs[runs.wrong_labels == 0]),
        ("noisy", runs[runs.wrong_labels > 0]),
    ):
        accuracy = part.groupby(keys, sort=False).test_accuracy.agg(["mean", "min", "max"])
        accuracies.append(accuracy.set_axis([name, f"{name}_low", f"{name}_high"], axis=1))
    found = pd.concat(accuracies, axis=1)
    return found.assign(left=100 * found.noisy / found.clean).reset_index()


def draw_tower(axes: Axes, row: pd.Series, colour: str, marker: str) -> None:
    """Draw the clean and the noisy accuracy of one tower, one above the other."""
    for name, face in (("clean", "white"), ("noisy", colour)):
        mean, low, high = row[name], row[f"{name}_low"], row[f"{name}_high"]
        axes.errorbar(
            row.kept,
            mean,
            [[mean - low], [high - mean]],
            fmt=marker,
            color=colour,
            markerfacecolor=face,
            elinewidth=1,
        )


def span_of(values: pd.DataFrame) -> tuple[float, float]:
    """The limits of an axis that all panels share."""
    return values.min(axis=None) - MARGIN, values.max(axis=None) + MARGIN


def mechanism(runs: pd.DataFrame) -> Figure:
    """The figure for rows that `measure_mechanism.py` wrote."""
    found = robustness(runs)
    towers = found.tower[found.kept.notna()].unique()
    looks = {
        tower: (COLOURS[i % len(COLOURS)], MARKERS[i % len(MARKERS)])
        for i, tower in enumerate(towers)
    }
    with mpl.rc_context(STYLE):
        figure, placed = panels(list(found.dataset.unique()), 3.6, 3.4)
        for dataset, axes in placed.items():
            own = found[found.dataset == dataset]
            probe = own[own.kept.isna()].iloc[0]
            for value, dashes in ((probe.clean, ":"), (probe.noisy, "--")):
                axes.axhline(value, color=LINES["linear_probe"].colour, linestyle=dashes, lw=1)
            for _, row in own[own.kept.notna()].iterrows():
                draw_tower(axes, row, *looks[row.tower])
            axes.set(xlim=span_of(found[["kept"]]), ylim=span_of(found.filter(like="_")))
            axes.set_xlabel("random prompts keep (% of zero-shot)")
        next(iter(placed.values())).set_ylabel("test accuracy (%)")
        entries = [
            Line2D([], [], color=colour, marker=marker, linestyle="", label=tower)
            for tower, (colour, marker) in looks.items()
        ]
        figure.legend(
            handles=entries, loc="outside upper center", ncols=3, frameon=False, labelcolor=GREY
        )
        seeds = runs.groupby(["dataset", "tower", "wrong_labels"]).seed.nunique().min()
        caption(figure, CAPTION.format(seeds=seeds_text(seeds)))
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, required=True, help="CSV of measure_mechanism.py")
    parser.add_argument("--out", type=Path, nargs="+", required=True, help=".svg, .png")
    args = parser.parse_args()
    runs = pd.read_csv(args.runs)
    print(robustness(runs).round(1).to_string(index=False))
    figure = mechanism(runs)
    for path in args.out:
        with atomic_path(path) as temporary:
            save(figure, temporary, path.suffix[1:])


if __name__ == "__main__":
    main()
