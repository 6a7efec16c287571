"""Plot a figure of the paper, filled with the study's numbers: SVG, PDF and PNG."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.cli.entry import parser, start
from ptnl.figures import accuracy_over_rate, save
from ptnl.io import atomic_path, read_parquet
from ptnl.layouts import FIGURES
from ptnl.schemas import SUMMARY


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--figure", type=int, choices=FIGURES, required=True)
    arguments.add_argument("--summary", type=Path, required=True)
    arguments.add_argument("--backbone", required=True)
    arguments.add_argument("--study", required=True, help="name of the study, for the caption")
    arguments.add_argument("--protocol", required=True, help="its protocol, for the caption")
    arguments.add_argument(
        "--random-noise", required=True, help="kind of noise in the place of the paper's random one"
    )
    arguments.add_argument("--out", type=Path, nargs="+", required=True, help=".svg, .pdf, .png")
    args = arguments.parse_args(argv)

    summary = read_parquet(args.summary, SUMMARY)
    layout = FIGURES[args.figure].with_random_noise(args.random_noise)
    figure = accuracy_over_rate(summary, layout, args.study, args.protocol, args.backbone)
    for path in args.out:
        with atomic_path(path) as temporary:
            save(figure, temporary, path.suffix[1:])


if __name__ == "__main__":
    start(main)
