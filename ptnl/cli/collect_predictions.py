"""Collect the predictions of a study's first seed for each test image, in one table."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ptnl.analysis.predictions import predictions_of
from ptnl.cli.entry import parser, start
from ptnl.cli.listed import add_listed
from ptnl.io import read_json, read_parquet, write_parquet
from ptnl.provenance import made_by
from ptnl.schemas import MANIFEST, PREDICTIONS
from ptnl.training.run_files import class_names_of, read_logits


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    add_listed(arguments, "--runs", "folders of runs")
    arguments.add_argument(
        "--manifests",
        type=Path,
        nargs="+",
        required=True,
        help="manifests of their data sets, named DATASET.parquet",
    )
    arguments.add_argument("--out", type=Path, required=True, help="predictions (Parquet)")
    args = arguments.parse_args(argv)

    manifests = {path.stem: read_parquet(path, MANIFEST) for path in args.manifests}
    test = {name: rows[rows.split == "test"] for name, rows in manifests.items()}
    names = {name: class_names_of(rows) for name, rows in manifests.items()}
    parts = []
    for folder in args.runs:
        run = read_json(folder / "metrics.json")
        dataset = run["dataset"]
        parts.append(predictions_of(run, read_logits(folder), test[dataset], names[dataset]))
    write_parquet(pd.concat(parts), args.out, PREDICTIONS, made_by("numpy", "pandas"))


if __name__ == "__main__":
    start(main)
