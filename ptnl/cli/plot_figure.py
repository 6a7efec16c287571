"""Plot a figure of the paper, filled with the study's numbers: SVG, PDF and PNG."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ptnl.analysis.figures.accuracy import accuracy_over_rate
from ptnl.analysis.figures.confusion import confusion_matrices
from ptnl.analysis.figures.gradients import gradient_ratio
from ptnl.analysis.figures.splits import splits_over_epochs
from ptnl.analysis.figures.style import save
from ptnl.analysis.tables import Origin
from ptnl.cli.entry import parser, start
from ptnl.io import atomic_path, read_parquet
from ptnl.schemas import CONFUSION, GRADIENTS, SPLITS, SUMMARY
from ptnl.study.layouts import FIGURES

# Kind of figure -> the schema of its numbers, and the function that draws it.
KINDS = {
    "accuracy": (SUMMARY, accuracy_over_rate),
    "gradients": (GRADIENTS, gradient_ratio),
    "splits": (SPLITS, splits_over_epochs),
    "confusion": (CONFUSION, confusion_matrices),
}


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--figure", type=int, choices=FIGURES, required=True)
    arguments.add_argument(
        "--numbers", type=Path, nargs="+", required=True, help="numbers to show (Parquet)"
    )
    arguments.add_argument("--backbone", required=True)
    arguments.add_argument("--study", required=True, help="name of the study, for the caption")
    arguments.add_argument(
        "--protocol", required=True, help="protocol of the study, for the caption"
    )
    arguments.add_argument(
        "--random-noise", required=True, help="kind of noise that replaces the paper's random noise"
    )
    arguments.add_argument(
        "--out", type=Path, nargs="+", required=True, help="files that end in .svg, .pdf or .png"
    )
    args = arguments.parse_args(argv)

    layout = FIGURES[args.figure].with_random_noise(args.random_noise)
    schema, draw = KINDS[layout.kind]
    numbers = pd.concat([read_parquet(path, schema) for path in args.numbers])
    figure = draw(numbers, layout, Origin(args.study, args.protocol, args.backbone))
    for path in args.out:
        with atomic_path(path) as temporary:
            save(figure, temporary, path.suffix[1:])


if __name__ == "__main__":
    start(main)
