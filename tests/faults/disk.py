"""A disk that fills up while a study runs, and is then given more room."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.faults.studies import NotSurvived, Outcome, finished, require_same
from tests.workflow.conftest import Study


@contextmanager
def small_disk(folder: Path, kib: int) -> Iterator[Path]:
    """Mount a small disk at `folder` for a while, which only root may do."""
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kib}k", "tmpfs", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def room_taken(folder: Path) -> int:
    """KiB that the files of a folder, except logs, take on a disk with blocks of 4 KiB."""
    logs = folder / "logs"
    files = [path for path in folder.rglob("*") if path.is_file() and logs not in path.parents]
    return sum(4 * -(-path.stat().st_size // 4096) for path in files)


def resize(disk: Path, kib: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={kib}k", disk], check=True)


def filled_up(whole: Study, study: Study, sizes: Sequence[int], *targets: str) -> Outcome:
    """Run a study whose results lie on too small a disk, and enlarge the disk when it is full.

    sizes : growing sizes of the disk in KiB; the last one has room for all
    """
    named = []
    with small_disk(study.results, sizes[0]):
        for size in sizes[:-1]:
            resize(study.results, size)
            said = study.snakemake(*targets)
            text = said.stdout + said.stderr
            found = re.findall(r"^error: (\S+?):? .*(?:full|space|free)", text, flags=re.M)
            # Where the error message itself did not fit, Snakemake names the empty log.
            found = found or re.findall(r"^Logfile (\S+): empty file", text, flags=re.M)
            if not said.returncode or not found or "Traceback" in text:
                raise NotSurvived(f"{size} KiB: {text}")
            named.append(Path(found[0]).name)
        resize(study.results, sizes[-1])
        require_same(finished(study, *targets), whole, *targets)
    seen = (
        f"the file that did not fit was named, or the log that had no room for a sentence "
        f"({', '.join(named)}); with more room, files equal byte for byte"
    )
    return Outcome("A full disk", len(named), len(named), seen)
