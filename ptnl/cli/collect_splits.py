"""Collect from runs which labels methods took to be right, epoch by epoch."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.analysis.aggregate import split_quality
from ptnl.cli.entry import parser, start
from ptnl.cli.listed import add_listed
from ptnl.io import read_json, read_parquet, write_parquet
from ptnl.provenance import made_by
from ptnl.schemas import HISTORY, SPLITS


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    add_listed(arguments, "--runs", "folders of runs")
    arguments.add_argument("--out", type=Path, required=True)
    args = arguments.parse_args(argv)

    histories = [read_parquet(folder / "history.parquet", HISTORY) for folder in args.runs]
    metrics = [read_json(folder / "metrics.json") for folder in args.runs]
    splits = split_quality(histories, metrics)
    write_parquet(splits, args.out, SPLITS, made_by("pandas"))


if __name__ == "__main__":
    start(main)
