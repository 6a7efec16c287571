"""Unpacking archives that nobody vouches for."""

import tarfile
import zipfile
from collections.abc import Collection
from pathlib import Path


def extract(archive: Path, folder: Path, members: Collection[str] | None = None) -> None:
    """Unpack a tar (plain, gz, bz2, xz) or zip into the new folder `folder`, whole or not at all.

    `members` names the files to unpack; by default all are. An archive that would write outside
    the folder, or holds links out of it or devices, is an `InputError`, and nothing is written.
    """
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as file:
            file.extractall(folder, members)
    else:
        with tarfile.open(archive) as file:
            wanted = None if members is None else [file.getmember(name) for name in members]
            file.extractall(folder, wanted, filter="data")
