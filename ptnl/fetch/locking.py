"""A lock between processes, of one machine or of many on a shared file system."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ptnl.errors import InputError


@contextmanager
def locked(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold the lock that the empty file `path` stands for; call `waiting` if another holds it.

    A POSIX record lock: the kernel gives it back however its process ends, so a killed job leaves
    nothing to clean up, and NFS passes it to the server, which the older flock leaves out. It
    keeps processes apart, not threads of one. The file stays: to delete it would let two processes
    hold locks on two files of one name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):  # POSIX allows either
                waiting()
                fcntl.lockf(file, fcntl.LOCK_EX)
        except OSError as error:
            raise InputError(
                f"{path.parent}: its file system has no locks between processes "
                f"({error.strerror}; Lustre needs the mount option flock)"
            ) from error
        yield
