"""Get a data set's images, complete and checked, and write a receipt that says from where."""

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from ptnl.cli.entry import parser, start
from ptnl.data import DATASETS, dataset_of, image_options, splits_of, user_folder
from ptnl.data.archives import Archives
from ptnl.data.changes import check_place, state_of
from ptnl.errors import InputError
from ptnl.fetch.ownership import put, require_free, scratch
from ptnl.fetch.sources import load_sources
from ptnl.io import write_json
from ptnl.provenance import made_by


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
        "--archives", type=Path, help="folder of archives; without it, one beside the receipt"
    )
    arguments.add_argument(
        "--out", type=Path, required=True, help="receipt (JSON); images go beside it"
    )
    args = arguments.parse_args(argv)

    images = args.out.parent / "images"
    archives = Archives(
        load_sources(*args.sources), args.archives or args.out.parent / "archives", args.manual
    )
    folder = user_folder(args.dataset, args.options)
    is_own = args.dataset not in DATASETS and folder
    dataset = None if is_own else dataset_of(args.dataset, args.options)
    check_place(args.out, args.dataset)
    require_free(images)
    if folder:
        _check_folder(Path(folder), images)
    state = state_of(args.out, args.dataset, args.options)
    with scratch(images) as partial:
        made = partial / "images"
        if folder:
            made.symlink_to(Path(folder).resolve())
            said = {"folder": str(Path(folder).resolve())}
        else:
            assert dataset is not None  # one of the user's own has a folder
            module = import_module(f"ptnl.data.{dataset.module}")
            said = module.download(args.dataset, made, args.options, archives)
        put(made, images)
    receipt = {
        "dataset": args.dataset,
        "options": image_options(args.options),
        "splits": splits_of(dataset, args.options) if dataset else "own",
        "files": archives.fetched,
        "state": state,
        "made_by": made_by(),
        **said,
    }
    write_json(receipt, args.out, replaces=True)


def _check_folder(folder: Path, images: Path) -> None:
    """Refuse a user's folder that cannot be linked to."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    if images.parent.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{images.parent}: is the study's own place for it; give another folder")


if __name__ == "__main__":
    start(main)
