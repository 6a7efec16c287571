"""The state of a tree of files, for tests that nothing in it changes."""

from pathlib import Path


def snapshot(folder: Path) -> dict[str, tuple]:
    """Path -> kind, time of change and content of everything below a folder; links not followed."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        if path.is_symlink():
            content = path.readlink()
        else:
            content = path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, content)
    return found
