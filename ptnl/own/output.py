"""The folders that commands write: never among the images, never over somebody else's files."""

from pathlib import Path

from ptnl.errors import InputError
from ptnl.io import read_json

KIND = "kind"  # the key of a mark that says what a folder is


def claim(out: Path, mark: str, kind: str, images: Path | None = None) -> Path:
    """The folder `out`, made if missing, once it is ours to write: empty, or with our mark.

    Raises `InputError` where it holds files of somebody else's, or lies among the user's images.
    """
    if images is not None and out.resolve().is_relative_to(images.resolve()):
        raise InputError(f"{out}: lies in your folder of images; give a folder outside it")
    if images is not None and images.resolve().is_relative_to(out.resolve()):
        raise InputError(f"{out}: holds your folder of images; give another folder")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file; give a folder")
    if out.is_dir() and any(out.iterdir()) and not is_ours(out / mark, kind):
        raise InputError(f"{out}: holds files that ptnl has not made; give a new or empty folder")
    out.mkdir(parents=True, exist_ok=True)
    return out


def is_ours(mark: Path, kind: str) -> bool:
    """Whether a folder's mark says that we made it."""
    if not mark.is_file():
        return False
    try:
        said = read_json(mark)
    except InputError:
        return False
    return isinstance(said, dict) and said.get(KIND) == kind


def require_ours(folder: Path, mark: str, kind: str, command: str) -> None:
    """Raise an `InputError` where a folder has no mark of ours, or one that cannot be read.

    command : the one that makes such folders, for the cure
    """
    if not (folder / mark).is_file():
        raise InputError(f"{folder}: holds no {kind}: {mark} is missing; `{command}` makes one")
    if not is_ours(folder / mark, kind):
        raise InputError(
            f"{folder / mark}: damaged, or not what `{command}` writes; if it made this folder, "
            f"delete the folder and run `{command} ... -o {folder}` again"
        )
