"""The files that the package ships, checked before they are used."""

import hashlib
from pathlib import Path

from ptnl.errors import InputError
from ptnl.io import read_json

FOLDER = Path(__file__).parents[1] / "assets"
CHECKSUMS = "checksums.json"


def sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal; an unreadable file is an `InputError`."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path}: not readable ({error.strerror})") from error


def intact(path: Path) -> Path:
    """The path of a file; if it is one that the package ships, once its checksum is right."""
    return verified(path.name) if path.resolve().parent == FOLDER.resolve() else path


def verified(name: str) -> Path:
    """The path of a shipped file, once its checksum is what the build recorded."""
    path = FOLDER / name
    digest, expected = sha256(path), read_json(FOLDER / CHECKSUMS)[name]
    if digest != expected:
        raise InputError(f"{path}: sha256 is {digest}, expected {expected}; reinstall ptnl")
    return path
