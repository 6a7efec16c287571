"""Predict the classes of a folder of images with an adapted model; a stopped call can resume."""

import sys
from collections.abc import Sequence
from pathlib import Path

from ptnl.cli.entry import add_session, parser, session_of, start
from ptnl.own.predict import TOP, predict


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument(
        "model", type=Path, metavar="ADAPTED", help="folder that `ptnl adapt` wrote"
    )
    arguments.add_argument(
        "images", type=Path, metavar="IMAGES", help="folder of images, at any depth"
    )
    arguments.add_argument(
        "-o", "--out", type=Path, required=True, help="predictions (.csv or .parquet)"
    )
    arguments.add_argument(
        "--top", type=int, default=TOP, help="how many classes to list for an image"
    )
    add_session(arguments, has_backbone=False)
    args = arguments.parse_args(argv)

    predictions = predict(args.model, args.images, args.out, args.top, session_of(args))
    print(f"{len(predictions.table)} images: {args.out}")
    if predictions.unreadable:
        print(f"{len(predictions.unreadable)} images could not be read:", file=sys.stderr)
        for why in predictions.unreadable.values():
            print(f"  {why}", file=sys.stderr)


if __name__ == "__main__":
    start(main)
