"""Get a data set's images, complete and checked, and write a receipt that says from where."""

import json
import shutil
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from ptnl.cli.entry import parser, start
from ptnl.data import dataset_of, splits_of
from ptnl.data.archives import Archives
from ptnl.data.own_folder import link
from ptnl.fetch.sources import load_sources
from ptnl.io import write_json


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--dataset", required=True)
    arguments.add_argument(
        "--options", type=json.loads, default={}, help="JSON, as in dataset_options of the config"
    )
    arguments.add_argument(
        "--sources", type=Path, nargs="*", default=[], help="overlays of the table of sources"
    )
    arguments.add_argument(
        "--manual", type=Path, required=True, help="folder of files that you dropped by hand"
    )
    arguments.add_argument(
        "--out", type=Path, required=True, help="receipt (JSON); images and archives go beside it"
    )
    args = arguments.parse_args(argv)

    dataset = dataset_of(args.dataset, args.options)
    images = args.out.parent / "images"
    partial = args.out.parent / "images.partial"
    for leftover in (partial, images):
        _remove(leftover)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    archives = Archives(load_sources(*args.sources), args.out.parent / "archives", args.manual)
    if "source" in args.options and args.dataset != "imagenet":  # whose copies differ in layout
        said = link(Path(args.options["source"]), partial)
    else:
        module = import_module(f"ptnl.data.{dataset.module}")
        said = module.download(args.dataset, partial, args.options, archives)
    partial.replace(images)
    receipt = {
        "dataset": args.dataset,
        "options": args.options,
        "splits": splits_of(dataset, args.options),
        "files": archives.fetched,
        **said,
    }
    write_json(receipt, args.out)


def _remove(images: Path) -> None:
    """Remove a folder of ours, or a link to one of the user's, which stays."""
    if images.is_symlink():
        images.unlink()
    elif images.exists():
        shutil.rmtree(images)


if __name__ == "__main__":
    start(main)
