"""Tabulate how much tuning on each test image (TPT) adds to the prompts that it starts with."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ptnl.analysis.tables import Origin
from ptnl.analysis.tpt_report import markdown, tpt_table
from ptnl.cli.entry import parser, start
from ptnl.io import read_parquet, write_text
from ptnl.schemas import TPT


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument(
        "--evaluated",
        type=Path,
        nargs="+",
        required=True,
        help="files that evaluate_tpt wrote (Parquet)",
    )
    arguments.add_argument("--backbone", required=True)
    arguments.add_argument("--study", required=True, help="name of the study, for the caption")
    arguments.add_argument(
        "--protocol", required=True, help="protocol of the study, for the caption"
    )
    arguments.add_argument("--csv", type=Path, required=True)
    arguments.add_argument("--markdown", type=Path, required=True)
    args = arguments.parse_args(argv)

    table = tpt_table(pd.concat([read_parquet(path, TPT) for path in args.evaluated]))
    write_text(table.to_csv(index=False), args.csv)
    write_text(markdown(table, Origin(args.study, args.protocol, args.backbone)), args.markdown)


if __name__ == "__main__":
    start(main)
