"""A cache of features by the content of image files, so that no file is encoded twice."""

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ptnl.errors import InputError

CREATE = """CREATE TABLE IF NOT EXISTS images (
    digest BLOB PRIMARY KEY, feature BLOB NOT NULL, width INTEGER NOT NULL,
    height INTEGER NOT NULL, mean REAL NOT NULL, spread REAL NOT NULL, thumbnail BLOB NOT NULL
) WITHOUT ROWID"""
ASKED_AT_ONCE = 500  # digests in a query; SQLite allows at least 999 values


class Encoded(NamedTuple):
    """What the cache keeps of an image."""

    feature: np.ndarray  # (D) in float16, not normalised
    width: int  # of the file's image, in pixels
    height: int
    mean: float  # of the prepared image, 0 to 255
    spread: float  # standard deviation of the prepared image
    thumbnail: np.ndarray  # (THUMBNAIL, THUMBNAIL) in uint8, grey


THUMBNAIL = 16


def default_folder() -> Path:
    """The folder of caches, unless `--cache` names another."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ptnl" / "features"


def digest_of(path: Path) -> bytes:
    """The sha256 of a file's content; a file that cannot be read is an `InputError`."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise InputError(f"{path}: not readable ({error.strerror})") from error


@dataclass(frozen=True)
class Cache:
    """A file with the images that one encoder has seen. Several processes may use it at once."""

    path: Path
    connection: sqlite3.Connection

    def find(self, digests: Sequence[bytes]) -> dict[bytes, Encoded]:
        """Digest -> image, for those of the images that are in the cache."""
        found = {}
        for first in range(0, len(digests), ASKED_AT_ONCE):
            part = digests[first : first + ASKED_AT_ONCE]
            marks = ",".join("?" * len(part))
            rows = self.connection.execute(f"SELECT * FROM images WHERE digest IN ({marks})", part)
            for digest, feature, width, height, light, contrast, thumbnail in rows:
                grey = np.frombuffer(thumbnail, np.uint8).reshape(THUMBNAIL, THUMBNAIL)
                numbers = np.frombuffer(feature, np.float16)
                found[digest] = Encoded(numbers, width, height, light, contrast, grey)
        return found

    def keep(self, encoded: dict[bytes, Encoded]) -> None:
        """Add images, and write them to disk."""
        rows = [
            (digest, e.feature.tobytes(), *e[1:5], e.thumbnail.tobytes())
            for digest, e in encoded.items()
        ]
        with self.connection:
            self.connection.executemany(
                "INSERT OR IGNORE INTO images VALUES (?, ?, ?, ?, ?, ?, ?)", rows
            )


@contextmanager
def opened(folder: Path, identity: str) -> Iterator[Cache]:
    """The cache of the encoder that `identity` names; a damaged file is an `InputError`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{identity}.sqlite"
    connection = sqlite3.connect(path, timeout=60)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(CREATE)
        yield Cache(path, connection)
    except sqlite3.DatabaseError as error:
        raise InputError(f"{path}: the feature cache is damaged ({error}); delete it") from error
    finally:
        connection.close()
