"""Records the state of a folder, so that a test can check that nothing in it changed."""

from pathlib import Path


def snapshot(folder: Path) -> dict[str, tuple]:
    """Path -> mode, time of change and content of everything below a folder.

    Of a link, the content is where it points.
    """
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        if path.is_symlink():
            content = path.readlink()
        else:
            content = path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (status.st_mode, status.st_mtime_ns, content)
    return found
