"""Get a data set's images, complete and checked, and write a receipt that says from where."""

import shutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from ptnl.cli.entry import parser, start
from ptnl.data import DATASETS
from ptnl.io import write_json


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--dataset", choices=DATASETS, required=True)
    arguments.add_argument(
        "--out", type=Path, required=True, help="receipt (JSON); the images go beside it"
    )
    args = arguments.parse_args(argv)

    images = args.out.parent / "images"
    partial = args.out.parent / "images.partial"
    for leftover in (partial, images):
        shutil.rmtree(leftover, ignore_errors=True)
    module = import_module(f"ptnl.data.{DATASETS[args.dataset].module}")
    receipt = module.download(args.dataset, partial)
    partial.replace(images)
    write_json({"dataset": args.dataset, **receipt}, args.out)


if __name__ == "__main__":
    start(main)
