"""Print what a study found: accuracies with and without wrong labels, and where its files are."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ptnl.cli.entry import parser, start
from ptnl.io import read_parquet
from ptnl.labels.noise import NOISES
from ptnl.methods import METHODS
from ptnl.schemas import SUMMARY

FOLDERS = ("tables", "figures")
FILES = ("claims.md", "runs.csv", "summary.csv", "config.yaml", "report.html")


def lines(summary: pd.DataFrame) -> list[str]:
    """Accuracy of each method at the lowest and the highest rate, mean and sd over seeds.

    A kind of noise with one rate, and methods without given labels, have only one column.
    """
    said = []
    for (dataset, backbone), part in summary.groupby(["dataset", "backbone"], sort=False):
        given = part.method.map(lambda name: METHODS[name].labels == "noise")
        blocks = [(f"{noise} noise", rows) for noise, rows in part[given].groupby("noise")]
        if (~given).any():
            blocks.append(("no given labels", part[~given]))
        for title, rows in blocks:
            said += [f"{dataset}, {backbone}, {title}: top-1 accuracy (%)", *_block(rows), ""]
    return said


def _block(rows: pd.DataFrame) -> list[str]:
    low, high = rows.rate.min(), rows.rate.max()
    heads = [f"{low:g} % wrong"] if rows.noise.isin(NOISES).all() else ["accuracy"]
    heads += [f"{high:g} % wrong", "kept"] if high > low else []
    said = [f"  {'':<24}" + "".join(f"{head:>16}" for head in heads)]
    for method in (name for name in METHODS if name in set(rows.method)):
        of = rows[rows.method == method].set_index("rate")
        cells = [_cell(of, rate) for rate in dict.fromkeys((low, high))]
        if high > low and {low, high} <= set(of.index) and of["mean"][low] > 0:
            cells.append(f"{100 * of['mean'][high] / of['mean'][low]:.0f} %")
        said.append(f"  {METHODS[method].title:<24}" + "".join(f"{cell:>16}" for cell in cells))
    return said


def _cell(of: pd.DataFrame, rate: float) -> str:
    if rate not in of.index:
        return "–"
    row = of.loc[rate]
    return f"{row['mean']:.1f}" + ("" if pd.isna(row.sd) else f" ± {row.sd:.1f}")


def files(results: Path) -> list[str]:
    """Where the tables, figures and pages of a study are, if they exist."""
    said = []
    for folder in FOLDERS:
        names = sorted({path.stem for path in (results / folder).glob("[!.]*")})
        if names:
            said.append(f"{folder}: {results / folder}/ ({', '.join(names)})")
    return said + [
        f"{Path(name).stem}: {results / name}" for name in FILES if (results / name).exists()
    ]


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--results", type=Path, required=True, help="results/<study>")
    args = arguments.parse_args(argv)

    print("\n".join(lines(read_parquet(args.results / "summary.parquet", SUMMARY))))
    print("\n".join(files(args.results)))


if __name__ == "__main__":
    start(main)
