"""The rows of the table of hostile and odd inputs, and helpers that write small files."""

import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Row:
    """An input: how it is made, and what must happen when it is read."""

    what: str  # the input in words, for the page
    make: Callable[[Path], Any]  # makes the input in an empty folder; its result goes to the reader
    happens: str  # what happens, for the page; if it is refused, words of the sentence
    check: Callable[[Any], None] | None = None  # of what was read; None where the input is refused

    @property
    def is_read(self) -> bool:
        return self.check is not None


def read(what: str, make: Callable, happens: str, check: Callable[[Any], None]) -> Row:
    """An input that is read, with a check of what was read."""
    return Row(what, make, happens, check)


def refused(what: str, make: Callable, words: str) -> Row:
    """An input that is refused in a sentence with these words."""
    return Row(what, make, words)


def png(number: int = 0) -> bytes:
    """A small image; every number gives other bytes."""
    data = io.BytesIO()
    pixels = np.random.default_rng(number).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(data, "PNG")
    return data.getvalue()


def write(path: Path, content: bytes | str) -> Path:
    """Write a file, and make its folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def images(folder: Path, names: Iterable[str], first: int = 0) -> None:
    """Write images that all differ: the n-th has the number `first` + n."""
    for number, name in enumerate(names, start=first):
        write(folder / name, png(number))


def classes(folder: Path, *names: str, count: int = 4, first: int = 0) -> Path:
    """Write a folder with `count` images for each class."""
    images(folder, (f"{name}/{i}.png" for name in names for i in range(count)), first)
    return folder
