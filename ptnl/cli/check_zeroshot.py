"""Compare zero-shot accuracies with published ones, and warn where the data may be wrong."""

import sys
from collections.abc import Sequence
from pathlib import Path

from ptnl.analysis.aggregate import runs_table
from ptnl.analysis.metrics import read_metrics
from ptnl.analysis.published import published
from ptnl.analysis.zero_shot_check import CAUSES, against_published, markdown, warnings
from ptnl.cli.entry import add_statement, parser, start
from ptnl.io import write_text


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument(
        "--metrics", type=Path, nargs="+", required=True, help="metrics files of the zero-shot runs"
    )
    arguments.add_argument(
        "--protocol", required=True, help="protocol of the study, for the caption"
    )
    add_statement(arguments)
    args = arguments.parse_args(argv)

    compared = against_published(runs_table(read_metrics(args.metrics)), published())
    for sentence in warnings(compared):
        print(f"warning: {sentence}. {CAUSES}", file=sys.stderr)
    write_text(compared.to_csv(index=False), args.csv)
    write_text(markdown(compared, args.study, args.protocol), args.markdown)


if __name__ == "__main__":
    start(main)
