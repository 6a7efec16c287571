"""A lock between processes, of one machine or of many on a shared file system."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ptnl.errors import InputError

# What flock says on a file system that has no locks, such as Lustre mounted without them.
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@contextmanager
def locked(path: Path, waiting: Callable[[], None], stays: bool = True) -> Iterator[None]:
    """Hold the lock that the empty file `path` stands for; call `waiting` if another holds it.

    stays : whether the file remains; without it, whoever waited makes another, which filelock
        does when it finds that the file it has locked is no longer at `path`

    The kernel gives the lock back however its process ends, so a killed job leaves nothing to clean
    up. (filelock's soft lock, a file that a killed job would leave behind, is therefore refused.)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path, fallback_to_soft=False)
    try:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            waiting()
            lock.acquire(poll_interval=0.5)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        raise InputError(
            f"{path.parent}: its file system has no locks between processes "
            f"({error.strerror}; Lustre needs the mount option flock)"
        ) from error
    try:
        yield
    finally:
        if not stays:
            path.unlink(missing_ok=True)
        lock.release()
