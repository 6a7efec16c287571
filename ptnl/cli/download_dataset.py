"""Get the images of a data set, complete and checked, and write where they are from (a receipt)."""

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from ptnl.cli.entry import parser, start
from ptnl.data import DATASETS, Dataset, dataset_of, image_options, splits_of, user_folder
from ptnl.data.archives import Archives
from ptnl.data.changes import check_place, is_receipt, state_of
from ptnl.errors import InputError
from ptnl.fetch.locking import locked
from ptnl.fetch.ownership import put, require_free, require_scratch, scratch
from ptnl.fetch.sources import load_sources
from ptnl.io import read_json, write_json
from ptnl.provenance import made_by


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--dataset", required=True)
    arguments.add_argument(
        "--options",
        type=json.loads,
        default={},
        help="options of the data set, as in dataset_options of the config (JSON)",
    )
    arguments.add_argument(
        "--sources",
        type=Path,
        nargs="*",
        default=[],
        help="tables like ptnl/fetch/sources.yaml, whose entries replace those of the same name",
    )
    arguments.add_argument(
        "--manual", type=Path, required=True, help="folder of files that you put there by hand"
    )
    arguments.add_argument(
        "--archives", type=Path, help="folder for archives (default: beside the receipt)"
    )
    arguments.add_argument(
        "--out", type=Path, required=True, help="receipt (JSON); the images go to images/ beside it"
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
    require_scratch(images)
    if folder:
        _check_folder(Path(folder), images)
    was_there = args.out.exists()
    lock = images.with_name(".images.lock")
    with locked(
        lock, lambda: print(f"{images}: another process is fetching them; waiting"), stays=False
    ):
        if was_there or not _is_receipt_of(args.out, args.dataset, args.options):
            _get(args.dataset, dataset, args.options, images, archives, args.out)


def _is_receipt_of(receipt: Path, name: str, options: Mapping[str, Any]) -> bool:
    """Whether there is a receipt of this data set, with its present options."""
    if not is_receipt(receipt):
        return False
    said = read_json(receipt)
    now = (name, image_options(options), state_of(receipt, name, options))
    return (said["dataset"], said["options"], said["state"]) == now


def _get(
    name: str,
    dataset: Dataset | None,
    options: Mapping[str, Any],
    images: Path,
    archives: Archives,
    receipt: Path,
) -> None:
    """Put the images of a data set in place, and write their receipt.

    dataset : None if the images are in the user's own folder
    """
    folder = user_folder(name, options)
    state = state_of(receipt, name, options)
    with scratch(images) as partial:
        made = partial / "images"
        if folder:
            made.symlink_to(Path(folder).resolve())
            said = {"folder": str(Path(folder).resolve())}
        else:
            assert dataset is not None  # a data set of the user's own has a folder
            module = import_module(f"ptnl.data.{dataset.module}")
            said = module.download(name, made, options, archives)
        put(made, images)
    about = {
        "dataset": name,
        "options": image_options(options),
        "splits": splits_of(dataset, options) if dataset else "own",
        "files": archives.fetched,
        "state": state,
        "made_by": made_by(),
        **said,
    }
    write_json(about, receipt, replaces=True)


def _check_folder(folder: Path, images: Path) -> None:
    """Refuse a user's folder that does not exist, or that lies in the way."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    if images.parent.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{images.parent}: is where ptnl puts this data set; give another folder")


if __name__ == "__main__":
    start(main)
