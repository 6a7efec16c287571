"""Which files of a study are on disk."""

import os
from collections.abc import Callable
from pathlib import Path


def existence(results: Path, data: Path) -> Callable[[str], bool]:
    """Whether a file is there, by its name in the workflow's notation.

    The results are listed once, folder by folder: on a shared file system this needs a quarter of
    the calls that checking each file of a run would need.
    """
    there = {
        os.path.relpath(Path(folder, name), results)
        for folder, _, names in os.walk(results)
        for name in names
    }

    def exists(file: str) -> bool:
        place, _, path = file.partition("/")
        return path in there if place == "<results>" else (data / path).exists()

    return exists
