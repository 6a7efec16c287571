"""A partly downloaded file, kept so that a later process can resume it."""

import os
from pathlib import Path

from ptnl.fetch.checksums import Digests, digests_of
from ptnl.fetch.disk import is_full
from ptnl.fetch.ownership import discard, make_scratch, move, scratch_path
from ptnl.io import read_json, write_json


def part_path(path: Path) -> Path:
    """Path of the partial download of the file `path`."""
    return scratch_path(path) / "part"


class Part:
    """A partial download on disk, with the checksums of its bytes so far.

    A later process continues it: beside it lies a note of the URL that it is from and of the
    validator (ETag or date) that the server gave its file.
    """

    def __init__(self, path: Path) -> None:
        """Open the part of the file `path`, or begin one; what is there is hashed."""
        self.folder = make_scratch(path)
        self.path = part_path(path)
        self.note_path = self.folder / "part.json"
        self.file = self.path.open("ab", buffering=0)
        self.digests = digests_of(self.path)
        self.is_continued = self.length > 0  # put together from several answers
        note = read_json(self.note_path) if self.note_path.exists() else {}
        self.url: str = note.get("url", "")
        self.validator: str = note.get("validator", "")

    def __enter__(self) -> "Part":
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Keep what is there for a later process, but leave nothing on a full disk."""
        self.file.close()
        if not self.length or is_full(error) or not self.path.exists():
            discard(self.folder)

    @property
    def length(self) -> int:
        """Bytes so far."""
        return self.digests.bytes

    def restart(self, url: str = "", validator: str = "") -> None:
        """Drop the content; what follows comes from `url`."""
        self.file.truncate(0)
        self.digests, self.is_continued = Digests(), False
        self.url, self.validator = url, validator
        write_json({"url": url, "validator": validator}, self.note_path, replaces=True)

    def write(self, chunk: bytes) -> None:
        """Append `chunk`."""
        rest = memoryview(chunk)
        while rest:
            rest = rest[self.file.write(rest) :]
        self.digests.update(chunk)

    def finish(self, path: Path) -> None:
        """Give the file its name, once all of it has reached the disk."""
        os.fsync(self.file.fileno())
        move(self.path, path)
