"""The folders that commands write: never among the images, and never over the user's files."""

from pathlib import Path

from ptnl.errors import InputError
from ptnl.io import read_json

KIND = "kind"  # the key in a folder's mark that says what the folder is


def claim(out: Path, mark: str, kind: str, images: Path | None = None) -> Path:
    """Make the folder `out` or check that we may write to it: it is empty or has our mark.

    Raises `InputError` if it holds other files, or lies among the user's images.
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
    """Whether a mark says that we made the folder, and of this kind."""
    if not mark.is_file():
        return False
    try:
        content = read_json(mark)
    except InputError:
        return False
    return isinstance(content, dict) and content.get(KIND) == kind


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
