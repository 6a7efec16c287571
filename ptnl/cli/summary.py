"""Say what a study found: where its tables and figures are, and what each method keeps."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ptnl.cli.entry import parser, start
from ptnl.io import read_parquet
from ptnl.methods import METHODS
from ptnl.schemas import SUMMARY


def lines(summary: pd.DataFrame) -> list[str]:
    """Accuracy of each method without and with the most wrong labels, mean and sd over seeds."""

    def cell(rows: pd.DataFrame, fp: int) -> str:
        row = rows[rows.fp == fp].iloc[0]
        spread = "" if pd.isna(row.sd) else f" ± {row.sd:.1f}"
        return f"{row['mean']:.1f}{spread}"

    said = []
    for (dataset, backbone), part in summary.groupby(["dataset", "backbone"], sort=False):
        for noise, rows in part[part.noise != "none"].groupby("noise"):
            low, high = rows.rate.min(), rows.rate.max()
            if low == high:
                continue  # nothing to keep: confusion noise, pseudo-labels
            said.append(f"{dataset}, {backbone}, {noise} noise: top-1 accuracy (%)")
            said.append(f"  {'':<22}{f'{low:g} % wrong':>16}{f'{high:g} % wrong':>16}{'kept':>8}")
            for zero in part[part.noise == "none"].itertuples():
                said.append(f"  {METHODS[zero.method].title:<22}{zero.mean:>16.1f}")
            for method in (m for m in METHODS if m in set(rows.method)):
                of = rows[rows.method == method]
                first, last = of.fp.min(), of.fp.max()
                mean = of.set_index("fp")["mean"]
                said.append(
                    f"  {METHODS[method].title:<22}{cell(of, first):>16}{cell(of, last):>16}"
                    f"{100 * mean[last] / mean[first]:>6.0f} %"
                )
    return said


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--results", type=Path, required=True, help="results/<study>")
    args = arguments.parse_args(argv)

    print("\n".join(lines(read_parquet(args.results / "summary.parquet", SUMMARY))))
    for folder in ("tables", "figures"):
        names = sorted({path.stem for path in (args.results / folder).iterdir()})
        print(f"{folder}: {args.results / folder}/ ({', '.join(names)})")
    print(f"claims: {args.results / 'claims.md'}")
    print(f"runs: {args.results / 'runs.parquet'}")
    print(f"report: {args.results / 'report.html'}")


if __name__ == "__main__":
    start(main)
