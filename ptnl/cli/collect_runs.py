"""Collect the runs of a study into a table, and their statistics over seeds into another.

Both are written as Parquet and, beside it, as CSV.
"""

from collections.abc import Sequence
from pathlib import Path

from ptnl.analysis.aggregate import runs_table, summarise
from ptnl.analysis.metrics import read_metrics
from ptnl.cli.entry import parser, start
from ptnl.cli.listed import add_listed
from ptnl.io import write_parquet, write_text
from ptnl.provenance import made_by
from ptnl.schemas import RUNS, SUMMARY


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    add_listed(arguments, "--metrics", "metrics files, one per run")
    arguments.add_argument("--runs", type=Path, required=True, help="run table (Parquet)")
    arguments.add_argument(
        "--summary", type=Path, required=True, help="statistics over seeds (Parquet)"
    )
    args = arguments.parse_args(argv)

    runs = runs_table(read_metrics(args.metrics))
    made = made_by("pandas", "pyarrow")
    summary = summarise(runs)
    for table, path, schema in ((runs, args.runs, RUNS), (summary, args.summary, SUMMARY)):
        write_parquet(table, path, schema, made)
        write_text(table.to_csv(index=False), path.with_suffix(".csv"))


if __name__ == "__main__":
    start(main)
