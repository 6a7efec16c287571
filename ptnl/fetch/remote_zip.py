"""Reading one file out of a zip on a server, without downloading the zip."""

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

BUFFER = 1 << 20  # bytes asked for at a time

# Of the first byte and the one behind the last: those bytes, and the length of the whole file.
Read = Callable[[int, int], tuple[bytes, int]]


class _Remote(io.RawIOBase):
    """A file on a server that can be read anywhere."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._position = 0
        _, self._length = read(0, 1)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = offset + {0: 0, 1: self._position, 2: self._length}[whence]
        return self._position

    def readinto(self, buffer: memoryview) -> int:
        end = min(self._position + len(buffer), self._length)
        if end <= self._position:
            return 0
        content, _ = self._read(self._position, end)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)


@contextmanager
def opened_member(read: Read, name: str) -> Iterator[tuple[IO[bytes], int]]:
    """The file `name` of the zip that `read` reads, and its length.

    `zipfile.BadZipFile` for what is no zip, `KeyError` for one without that file.
    """
    remote = io.BufferedReader(_Remote(read), BUFFER)
    with zipfile.ZipFile(remote) as archive, archive.open(name) as file:
        yield file, archive.getinfo(name).file_size
