"""What ptnl has made, and its removal: the one module that removes folders, links and archives.

A config may point anywhere, also to where users keep their own files. So nothing is removed,
replaced or moved unless it carries a mark of ptnl's, in one of three forms:

- a scratch folder, in which something is made, holds a mark from its first moment on;
- a folder or link that stands in its final place has a list beside it of all that ptnl put there;
- an archive that was fetched has its receipt (`ptnl.fetch.checksums`).

Links are unlinked and never followed.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ptnl.errors import InputError
from ptnl.fetch.checksums import read_receipt, receipt_path
from ptnl.io import read_json, write_text

SCRATCH_MARK = ".made-by-ptnl"

# Of every file its bytes and its time of change in nanoseconds; of a link its target.
Listing = dict[str, list[int] | str]


def scratch_path(place: Path) -> Path:
    """The hidden folder beside `place` in which its content is made."""
    return place.with_name(f".{place.name}.partial")


def is_scratch(folder: Path) -> bool:
    """Whether a folder is a scratch folder of ptnl's."""
    return not folder.is_symlink() and (folder / SCRATCH_MARK).is_file()


def require_scratch(place: Path) -> None:
    """Raise an `InputError` where something ptnl did not make has a scratch folder's name."""
    folder = scratch_path(place)
    is_empty = folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir())
    if os.path.lexists(folder) and not is_empty and not is_scratch(folder):
        raise InputError(
            f"{folder}: is in the way and ptnl did not make it; move it elsewhere, or delete it"
        )


def make_scratch(place: Path) -> Path:
    """Make the scratch folder of `place`, with its mark; one that is there is kept as it is.

    An `InputError` where something else has its name.
    """
    require_scratch(place)
    folder = scratch_path(place)
    if is_scratch(folder):
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SCRATCH_MARK).touch()
    return folder


@contextmanager
def scratch(place: Path) -> Iterator[Path]:
    """An empty scratch folder of `place`, without what a killed process left; gone in the end."""
    discard(make_scratch(place))
    folder = make_scratch(place)
    try:
        yield folder
    finally:
        discard(folder)


def discard(path: Path) -> None:
    """Remove a scratch folder, or a file, link or folder inside one."""
    if not any(is_scratch(folder) for folder in (path, *path.parents)):
        raise ValueError(f"{path}: lies in no scratch folder")
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif is_scratch(path):
        for inside in path.iterdir():
            if inside.name != SCRATCH_MARK:
                discard(inside)
        (path / SCRATCH_MARK).unlink()  # last, so that a killed process leaves its mark
        path.rmdir()
    elif path.exists():
        shutil.rmtree(path)


def move(made: Path, place: Path) -> None:
    """Move what was made to `place`, where nothing may be."""
    if os.path.lexists(place):
        raise InputError(f"{place}: is in the way; move it elsewhere, or delete it")
    made.rename(place)


def remove_fetched(archive: Path, sha256: str, wrong: str) -> None:
    """Remove an archive that is not what it should be, if it is still the one that was fetched.

    Parameters
    ----------
    sha256 : of what is there now
    wrong : what is wrong with it, for the `InputError` where its receipt is of another file
    """
    receipt, now = read_receipt(archive), archive.lstat()
    as_fetched = receipt and (
        sha256 == receipt.sha256
        or (now.st_size, now.st_mtime_ns) == (receipt.bytes, receipt.mtime_ns)
    )
    if archive.is_symlink() or not as_fetched:
        raise InputError(
            f"{archive}: {wrong}; it is not the file that ptnl fetched: move it elsewhere, or "
            "delete it"
        )
    archive.unlink()
    receipt_path(archive).unlink()


def listing_path(place: Path) -> Path:
    """Where the list of what ptnl put at `place` is."""
    return place.with_name(f".{place.name}.ptnl.json")


def is_marked(place: Path) -> bool:
    """Whether a list says that ptnl put something at `place`; it may have changed since."""
    return _left(place) is not None


def require_free(place: Path, cure: str = "move it elsewhere, or delete it") -> None:
    """Raise an `InputError` unless `place` is empty or holds only what ptnl put there."""
    if not os.path.lexists(place):
        return
    left = _left(place)
    if left is None:
        raise InputError(f"{place}: is there already and ptnl did not make it; {cure}")
    for name, entry in _listing(place).items():
        if left.get(name) != entry:
            odd = place / name if name else place
            raise InputError(
                f"{odd}: ptnl did not put it there, or it has changed since; move it out of the "
                "way, or delete it"
            )


def put(made: Path, place: Path) -> None:
    """Move what was made, a folder or a link, to `place`, where only ptnl's own may give way."""
    remove(place)
    # Before the move: if the process is killed between the two, the list is of nothing.
    write_text(json.dumps(_listing(made)), listing_path(place), replaces=True)
    made.rename(place)


def remove(place: Path) -> None:
    """Remove what ptnl put at `place`, if that is all that is there; an `InputError` if not."""
    require_free(place)
    if place.is_symlink():
        place.unlink()
    elif place.exists():
        for name in _listing(place):
            (place / name).unlink()
        for folder, _, _ in os.walk(place, topdown=False):
            Path(folder).rmdir()
    if _left(place) is not None:
        listing_path(place).unlink()


def _left(place: Path) -> Listing | None:
    """What ptnl put at `place`; None where it put nothing."""
    if not listing_path(place).is_file():
        return None
    left = read_json(listing_path(place))
    return left if isinstance(left, dict) else None


def _listing(place: Path) -> Listing:
    """Every file and link below a folder by its name; under the empty name, `place` if a link."""
    if place.is_symlink() or not place.is_dir():
        return {"": _entry(place)}
    found = {}
    for folder, folders, files in os.walk(place):
        links = [name for name in folders if Path(folder, name).is_symlink()]
        for name in (*files, *links):
            path = Path(folder, name)
            found[path.relative_to(place).as_posix()] = _entry(path)
    return found


def _entry(path: Path) -> list[int] | str:
    if path.is_symlink():
        return str(path.readlink())
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
