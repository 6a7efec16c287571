"""Disks that are too small."""

import errno
import shutil
from pathlib import Path

from ptnl.errors import InputError


def is_full(error: BaseException | None) -> bool:
    """Whether an error says that a disk, or the user's share of it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def require_space(folder: Path, needed: int, what: str) -> None:
    """Raise an `InputError` where `folder` has less than `needed` free bytes."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise InputError(f"{folder}: {what} needs {needed:,} bytes more, {free:,} are free")
