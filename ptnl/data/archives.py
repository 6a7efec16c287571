"""The files from which a data set is made, as its module asks for them."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ptnl.errors import InputError
from ptnl.fetch.checksums import digests_of, read_receipt
from ptnl.fetch.download import fetch
from ptnl.fetch.extract import extract
from ptnl.fetch.ownership import move, scratch
from ptnl.fetch.sources import Source


@dataclass(frozen=True)
class Archives:
    """Fetches files of the source table, and remembers what it fetched."""

    sources: Mapping[str, Source]
    folder: Path  # of the data set's archives
    manual: Path  # where the user may put files by hand
    fetched: dict[str, str] = field(default_factory=dict)  # name -> sha256

    def file(self, name: str) -> Path:
        """A file of the source table, complete and verified."""
        path = fetch(self.sources[name], self.folder, self.manual)
        receipt = read_receipt(path)
        assert receipt is not None  # `fetch` writes one
        self.fetched[name] = receipt.sha256
        return path

    def given(self, path: Path) -> Path:
        """A file of the source table that the user has; it is verified and stays in its place."""
        digests = digests_of(path)
        wrong = digests.mismatch(self.sources[path.name])
        if wrong:
            raise InputError(f"{path}: {wrong}")
        self.fetched[path.name] = digests.sha256
        return path

    def place(self, name: str, folder: Path) -> Path:
        """Put a copy of a file into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        return shutil.copyfile(self.file(name), folder / name)

    def unpack(self, name: str, folder: Path, top: str = ".") -> None:
        """Unpack the part below `top` of an archive into `folder`, which may hold other files."""
        unpack(self.file(name), folder, top)

    def split(self, name: str, folder: Path, options: Mapping[str, Any]) -> None:
        """Put CoOp's split file into `folder`, if the options ask for it."""
        if not is_coop(options):
            return
        try:
            self.place(name, folder)
        except InputError as error:
            raise InputError(
                f"{error}; if you can do without CoOp's split, set dataset_options: "
                f"{{{self.sources[name].dataset}: {{splits: native}}}}"
            ) from error


def is_coop(options: Mapping[str, Any]) -> bool:
    """Whether a data set has the split that CoOp published, and not a new one by CoOp's rule."""
    return bool(options.get("splits", "coop") == "coop")


def unpack(archive: Path, folder: Path, top: str = ".") -> None:
    """Unpack the part below `top` of an archive into `folder`, which may hold other files.

    It is unpacked to a new folder first, because `extract` unpacks all or nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with scratch(folder / "unpacked") as temporary:
        whole = temporary / "whole"
        extract(archive, whole)
        if not (whole / top).is_dir():
            raise InputError(f"{archive}: holds no folder {top}")
        for member in (whole / top).iterdir():
            target = folder / member.name
            if target.exists():
                raise InputError(f"{archive}: holds {member.name}, which another archive holds too")
            move(member, target)
