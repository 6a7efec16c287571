"""Rank the methods of Table 10 at each noise and rate, with intervals."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.analysis.ranks import markdown, method_ranks
from ptnl.analysis.tables import Origin
from ptnl.cli.entry import parser, start
from ptnl.io import read_parquet, write_text
from ptnl.schemas import RUNS


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--runs", type=Path, required=True, help="run table (Parquet)")
    arguments.add_argument("--backbone", required=True)
    arguments.add_argument("--study", required=True, help="name of the study, for the caption")
    arguments.add_argument(
        "--protocol", required=True, help="protocol of the study, for the caption"
    )
    arguments.add_argument("--csv", type=Path, required=True)
    arguments.add_argument("--markdown", type=Path, required=True)
    args = arguments.parse_args(argv)

    ranks = method_ranks(read_parquet(args.runs, RUNS), args.backbone)
    write_text(ranks.to_csv(index=False), args.csv)
    write_text(markdown(ranks, Origin(args.study, args.protocol, args.backbone)), args.markdown)


if __name__ == "__main__":
    start(main)
