"""Collect the gradient norms of wrong and right labels from runs, epoch by epoch."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.analysis.aggregate import gradient_ratios
from ptnl.analysis.metrics import read_metrics
from ptnl.cli.entry import parser, start
from ptnl.cli.listed import add_listed
from ptnl.io import read_parquet, write_parquet
from ptnl.provenance import made_by
from ptnl.schemas import GRADIENTS, HISTORY


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    add_listed(arguments, "--runs", "folders of runs")
    arguments.add_argument("--out", type=Path, required=True)
    args = arguments.parse_args(argv)

    histories = [read_parquet(folder / "history.parquet", HISTORY) for folder in args.runs]
    metrics = read_metrics([folder / "metrics.json" for folder in args.runs])
    gradients = gradient_ratios(histories, metrics)
    write_parquet(gradients, args.out, GRADIENTS, made_by("pandas"))


if __name__ == "__main__":
    start(main)
