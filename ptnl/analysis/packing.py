"""A study's results as one file, to go on with the numbers elsewhere."""

import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ptnl.analysis.results import CONFIG
from ptnl.errors import InputError
from ptnl.fetch.extract import extract
from ptnl.io import atomic_path

# Large folders, which can be computed again from the images.
LEFT_OUT = ("features", "views", "logs")


def _packed(folder: Path) -> Iterator[Path]:
    """The files of a pack, relative to the results: all but `LEFT_OUT` and what is half-written."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)
        if path.is_file() and not hidden and inside.parts[0] not in LEFT_OUT:
            yield inside


def pack(folder: Path, file: Path) -> int:
    """Write a study's results into one file (tar, compressed by gzip); returns how many files.

    Times of modification are kept, so that Snakemake finds everything up to date where it is
    unpacked.
    """
    if not (folder / CONFIG).is_file():
        raise InputError(f"{folder}: no results of a study, for there is no {CONFIG}")
    inside = list(_packed(folder))
    with (
        atomic_path(file) as temporary,
        tarfile.open(temporary, "w:gz", compresslevel=6) as archive,
    ):
        for path in inside:
            archive.add(folder / path, f"{folder.name}/{path}")
    return len(inside)


def unpack(file: Path, parent: Path) -> Path:
    """Unpack the file of `pack` below a folder, whole or not at all; returns the study's folder.

    Raises
    ------
    InputError : it is not such a file, or results of that name are there already
    """
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=".unpack.") as temporary:
        content = Path(temporary) / "content"
        try:
            extract(file, content, keeps_times=True)
        except OSError as error:
            raise InputError(f"{file}: not readable as a pack of `ptnl pack` ({error})") from error
        found = [path for path in content.iterdir() if (path / CONFIG).is_file()]
        if len(found) != 1:
            raise InputError(f"{file}: no pack of `ptnl pack`, for it holds no study's {CONFIG}")
        target = parent / found[0].name
        if target.exists():
            raise InputError(f"{target}: is there already; move it away, or unpack elsewhere")
        shutil.move(found[0], target)
    return target
