"""Reading one file out of a zip on a server, without downloading the zip."""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from fsspec.spec import AbstractBufferedFile

READ_AHEAD = 1 << 20  # bytes
END_RECORD = 22  # bytes of an empty zip, which is nothing but its end record

# Reads bytes `first` to `end` (exclusive) of the remote file; also gives its total size.
Read = Callable[[int, int], tuple[bytes, int]]


class _Remote(AbstractBufferedFile):  # type: ignore[misc]  # fsspec declares no types
    """A file on a server that can be read anywhere.

    `read` asks the server, because the status of a failure decides whether another attempt makes
    sense: remotezip hides it, and fsspec's own files over HTTP need a second client, aiohttp.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        _, length = read(0, 1)
        super().__init__(fs=None, path="", block_size=READ_AHEAD, size=length)

    def _fetch_range(self, start: int, end: int) -> bytes:
        return self._read(start, end)[0]


@contextmanager
def opened_member(read: Read, name: str) -> Iterator[tuple[IO[bytes], int]]:
    """The file `name` of the zip that `read` reads, and its length.

    `zipfile.BadZipFile` for what is no zip, `KeyError` for one without that file.
    """
    remote = _Remote(read)
    if remote.size < END_RECORD:
        raise zipfile.BadZipFile("File is not a zip file")
    with zipfile.ZipFile(remote) as archive, archive.open(name) as file:
        yield file, archive.getinfo(name).file_size
