"""The files below a user's folder: images, and files to skip. It only reads."""

import os
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ptnl.data.image_files import has_image_ending, is_image
from ptnl.errors import InputError, closed_folder

LEFTOVERS = "files of systems and editors"
# Names of files that systems and editors leave, in lower case; so are names that begin with a dot.
LEFTOVER_NAMES = frozenset(
    {
        *("__macosx", "__pycache__", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin"),
        *("system volume information", "lost+found", "@eadir", "#recycle", "icon\r"),
    }
)


@dataclass
class Tree:
    """Paths below a folder, with `/`, sorted by name in each folder; every file is in one list."""

    images: list[str] = field(default_factory=list)
    passed_over: dict[str, list[str]] = field(default_factory=dict)  # kind of file -> paths

    def pass_over(self, what: str, path: str) -> None:
        self.passed_over.setdefault(what, []).append(path)


def is_leftover(name: str) -> bool:
    """Whether systems or editors leave files of such a name, so that it is no image or class."""
    return name.startswith(".") or name.endswith("~") or name.lower() in LEFTOVER_NAMES


def entries(folder: Path) -> list[os.DirEntry[str]]:
    """The entries of a folder, by name; `InputError` if the folder or a name is unreadable."""
    try:
        with os.scandir(folder) as listing:
            found = sorted(listing, key=lambda entry: entry.name)
    except PermissionError as error:
        raise closed_folder(folder) from error
    except OSError as error:
        raise InputError(f"{folder}: not readable as a folder ({error.strerror})") from error
    for entry in found:
        try:
            entry.name.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"{entry.path}: its name is not UTF-8; rename it") from error
    return found


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or a link to one. A link to itself is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def folders(folder: Path) -> list[str]:
    """Names of the folders in a folder, without those of systems and editors."""
    return [
        entry.name for entry in entries(folder) if is_folder(entry) and not is_leftover(entry.name)
    ]


def loose(root: Path, folder: str = ".") -> Tree:
    """The files that lie in a folder itself."""
    tree = Tree()
    for entry in entries(root / folder):
        if is_leftover(entry.name):
            _all_passed_over(tree, entry, _below(folder, entry.name))
        elif not is_folder(entry):
            _add_file(tree, entry, _below(folder, entry.name))
    return tree


def scan(root: Path, folder: str) -> Tree:
    """The files at any depth below `root / folder`, as paths below `root`.

    Links are followed after everything else, and no folder is read twice: a link to a folder that
    was read already is skipped and listed.
    """
    tree = Tree()
    read = {_identity(root / place) for place in Path(folder).parents}
    waiting = deque([folder])
    while waiting:
        path = waiting.popleft()
        identity = _identity(root / path)
        if identity in read:
            tree.pass_over("links to folders that were read already", path)
            continue
        read.add(identity)
        links = _read_folder(tree, root, path, waiting)
        waiting.extend(links)
    tree.images.sort()
    return tree


def _read_folder(tree: Tree, root: Path, folder: str, waiting: deque[str]) -> list[str]:
    """Add the files of a folder to the tree, and its folders to `waiting`; its links to folders."""
    inside: list[str] = []
    links: list[str] = []
    for entry in entries(root / folder):
        path = _below(folder, entry.name)
        if is_leftover(entry.name):
            _all_passed_over(tree, entry, path)
        elif is_folder(entry):
            (links if entry.is_symlink() else inside).append(path)
        else:
            _add_file(tree, entry, path)
    waiting.extendleft(reversed(inside))
    return links


def _add_file(tree: Tree, entry: os.DirEntry[str], path: str) -> None:
    is_file = Path(entry.path).is_file()
    if has_image_ending(entry.name) and (is_file or entry.is_symlink()):
        tree.images.append(path)  # if it is a broken link, indexing refuses it by name
    elif not is_file:
        tree.pass_over(
            "links to nothing" if entry.is_symlink() else "pipes, devices or sockets", path
        )
    elif is_image(Path(entry.path)):
        tree.images.append(path)
    else:
        tree.pass_over(f"{Path(entry.name).suffix.lower() or 'files without an ending'}", path)


def _all_passed_over(tree: Tree, entry: os.DirEntry[str], path: str) -> None:
    """Skip a leftover, or each file below it; links there are not followed."""
    if not entry.is_dir(follow_symlinks=False):
        tree.pass_over(LEFTOVERS, path)
        return
    for inside in _files_below(Path(entry.path)):
        tree.pass_over(LEFTOVERS, f"{path}/{inside}")


def _files_below(folder: Path) -> Iterator[str]:
    for place, _, names in os.walk(folder):
        inside = Path(place).relative_to(folder)
        yield from ((inside / name).as_posix() for name in sorted(names))


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _below(folder: str, name: str) -> str:
    return name if folder == "." else f"{folder}/{name}"
