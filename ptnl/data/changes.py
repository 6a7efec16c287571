"""Find out whether a data set must be fetched and indexed again, without opening any image."""

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ptnl.data import user_folder
from ptnl.errors import InputError, closed_folder
from ptnl.fetch.ownership import is_marked
from ptnl.io import read_json, write_text


def check_place(receipt: Path, name: str) -> None:
    """Refuse a place for a data set if it holds something that ptnl did not put there.

    The workflow calls this while it plans, before Snakemake or a job touches anything.
    """
    images = receipt.parent / "images"
    try:
        marked = ((images, is_marked(images)), (receipt, is_receipt(receipt)))
    except PermissionError as error:
        raise closed_folder(receipt.parent) from error
    for path, ours in marked:
        if os.path.lexists(path) and not ours:
            raise InputError(
                f"{path}: is in the way and ptnl did not make it: this is where the data set "
                f"{name} goes; give another data_root, and to use images that you have, say "
                f"dataset_options: {{{name}: {{source: FOLDER}}}}, or folder, for one of your own"
            )


def is_receipt(path: Path) -> bool:
    """Whether a file is a receipt that ptnl wrote; `InputError` if it may not be read."""
    try:
        return "made_by" in read_json(path, sealed=True)
    except TypeError:
        return False
    except InputError as error:
        if isinstance(error.__cause__, PermissionError):
            raise InputError(
                f"{path}: you may not read this file, so ptnl cannot tell whether it made it; "
                f"allow reading (chmod u+r), or ask its owner to"
            ) from error
        return False


def state_of(receipt: Path, name: str, options: Mapping[str, Any]) -> str:
    """A short name for the state of a data set's images; if it changes, the manifest is made again.

    It changes when a file in the user's folder is added, removed or written, and by `refresh`. A
    folder that is missing, as when its disk is not mounted, counts as unchanged.
    """
    folder = user_folder(name, options)
    try:
        is_there = Path(folder).is_dir()
    except PermissionError as error:
        raise closed_folder(Path(folder).parent) from error
    if folder and not is_there and is_receipt(receipt):
        return str(read_json(receipt)["state"])
    asked = refreshed_path(receipt)
    digest = hashlib.sha256(asked.read_bytes() if asked.is_file() else b"")
    for line in _listed(folder) if folder else ():
        digest.update(os.fsencode(line))
    table = Path(options.get("manifest", ""))
    if not folder and table.is_file():  # the table holds the images themselves
        status = table.stat()
        digest.update(f"{status.st_size}\0{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def refreshed_path(receipt: Path) -> Path:
    """The file that says when the user last asked to get a data set again."""
    return receipt.with_name(".refreshed")


def refresh(receipt: Path) -> None:
    """Let the next run get and index a data set again."""
    if not receipt.parent.is_dir():
        raise InputError(f"{receipt.parent}: there is no such data set yet")
    write_text(f"{time.time_ns()}\n", refreshed_path(receipt), replaces=True)


def _listed(folder: str) -> Iterator[str]:
    """Name, size and time of change of every file, in order; links are followed, but only once."""
    been = set()
    for path, folders, files in os.walk(folder, onerror=_refuse_closed, followlinks=True):
        status = Path(path).stat()
        if (status.st_dev, status.st_ino) in been:
            folders.clear()
            continue
        been.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(name for name in files if not name.startswith(".")):
            file = Path(path, name)
            try:
                now = file.stat()
            except OSError:  # a broken link, which indexing reports
                continue
            yield f"{file.relative_to(folder)}\0{now.st_size}\0{now.st_mtime_ns}\n"


def _refuse_closed(error: OSError) -> None:
    """What `os.walk` does about a folder that it cannot read: a closed one would look empty."""
    if isinstance(error, PermissionError):
        raise closed_folder(error.filename) from error
