"""Adapt a CLIP model to a folder of images, with labels or without."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.cli.entry import add_session, parser, session_of, start
from ptnl.own.adapt import adapt
from ptnl.own.card import summary
from ptnl.own.names import DEFAULT_TEMPLATE
from ptnl.own.prompts import SHOTS


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument(
        "images", type=Path, metavar="IMAGES", help="folder of images, at any depth"
    )
    arguments.add_argument(
        "--classes",
        type=Path,
        required=True,
        help="text file with one class per line, or CSV with the columns class and prompt",
    )
    arguments.add_argument(
        "--labels",
        help="CSV or Parquet with the columns image and label, or the word folders; some images "
        "may lack a label",
    )
    arguments.add_argument(
        "--template", default=DEFAULT_TEMPLATE, help="prompt, in which {} stands for the class name"
    )
    arguments.add_argument(
        "--shots",
        type=int,
        default=SHOTS,
        help="how many images of each class a prompt is tuned on",
    )
    arguments.add_argument(
        "-o", "--out", type=Path, required=True, help="folder to write the model to"
    )
    add_session(arguments)
    args = arguments.parse_args(argv)

    model = adapt(
        args.images,
        args.classes,
        args.labels,
        args.out,
        args.template,
        args.shots,
        session_of(args),
    )
    print(summary(model.report))
    print(f"model: {args.out} (its card: {args.out / 'README.md'})")


if __name__ == "__main__":
    start(main)
