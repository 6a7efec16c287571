"""Tabulate the noise of the runs: wrong labels asked for and found, images per class."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.analysis.noise_report import markdown, realised_noise
from ptnl.cli.entry import add_statement, parser, start
from ptnl.io import read_parquet, write_text
from ptnl.schemas import RUNS


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--runs", type=Path, required=True, help="run table (Parquet)")
    arguments.add_argument(
        "--protocol", required=True, help="protocol of the study, for the caption"
    )
    add_statement(arguments)
    args = arguments.parse_args(argv)

    realised = realised_noise(read_parquet(args.runs, RUNS))
    write_text(realised.to_csv(index=False), args.csv)
    write_text(markdown(realised, args.study, args.protocol), args.markdown)


if __name__ == "__main__":
    start(main)
