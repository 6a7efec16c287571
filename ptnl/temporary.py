"""Temporary files beside what is written: renamed when whole, and known as abandoned after a kill.

Only a part of the standard library is imported here, so that a job's caller starts quickly.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error.

    A reader sees the old file or the new one, never a part: the rename is atomic and happens after
    the data reached the disk. The temporary file of a process that was killed goes when `path` is
    written again. Raises `OSError`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(path)
    temporary, lock = _locked_temporary(path)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(lock)


def _temporary_prefix(path: Path) -> str:
    """How the names of temporary files for `path` begin: only ptnl gives such names."""
    return f".{path.name}.ptnl-"


def _locked_temporary(path: Path) -> tuple[Path, int]:
    """A new file beside `path`, and a descriptor that holds a lock on it until it is closed."""
    while True:
        name = f"{_temporary_prefix(path)}{os.urandom(6).hex()}{path.suffix}"
        temporary = path.with_name(name)
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with suppress(OSError):  # without locks on this file system, nothing is taken as abandoned
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:  # else another process took it as abandoned before the lock
            return temporary, handle
        os.close(handle)


def _remove_abandoned(path: Path) -> None:
    """Remove temporary files for `path` on which no process holds the lock: theirs was killed."""
    prefix = _temporary_prefix(path)
    for temporary in path.parent.iterdir():
        if not temporary.name.startswith(prefix):
            continue
        with suppress(OSError), temporary.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            temporary.unlink()
