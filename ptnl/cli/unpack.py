"""Unpack the results of a study from a file that `ptnl pack` wrote."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.analysis.packing import unpack
from ptnl.cli.entry import parser, start


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("file", type=Path, help="file that `ptnl pack` wrote")
    arguments.add_argument(
        "--into",
        type=Path,
        default=Path("results"),
        help="folder in which to put the study's folder",
    )
    args = arguments.parse_args(argv)

    print(unpack(args.file, args.into))


if __name__ == "__main__":
    start(main)
