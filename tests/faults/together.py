"""Two calls of Snakemake on one study at the same time."""

import subprocess
from dataclasses import dataclass

from tests.faults.studies import NotSurvived, Outcome, finished, require_same
from tests.workflow.conftest import Study


@dataclass(frozen=True)
class Ended:
    """How a call of Snakemake ended, and what it printed."""

    status: int
    said: str


def started(study: Study, name: str, locks: bool, *targets: str) -> subprocess.Popen:
    """Start Snakemake: with its lock from the study's folder, without it from another one."""
    folder = study.folder if locks else study.folder / name
    folder.mkdir(exist_ok=True)
    command = [word for word in study.command(*targets) if not (locks and word == "--nolock")]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def at_once(study: Study, locks: bool, *targets: str) -> list[Ended]:
    """Start two calls of Snakemake at the same time; how they ended."""
    both = [started(study, name, locks, *targets) for name in ("one", "other")]
    said = [process.communicate()[0] for process in both]
    return [Ended(process.returncode, text) for process, text in zip(both, said, strict=True)]


def from_one_folder(whole: Study, study: Study, *targets: str) -> Outcome:
    """Snakemake's lock refuses one call, and the other runs as if it were alone."""
    ended = sorted(at_once(study, True, *targets), key=lambda one: one.status)
    if [one.status > 0 for one in ended] != [False, True] or "lock" not in ended[1].said:
        raise NotSurvived("\n".join(one.said for one in ended))
    require_same(study, whole, *targets)
    seen = "one is refused by Snakemake's lock, the other's files are equal byte for byte"
    return Outcome("Two Snakemakes at once, called from one folder", 1, 1, seen)


def from_two_folders(whole: Study, study: Study, *targets: str) -> Outcome:
    """No lock stops the second call. However the two end, a third call completes the study."""
    ended = at_once(study, False, *targets)
    failed = sum(one.status > 0 for one in ended)
    require_same(finished(study, *targets), whole, *targets)
    seen = f"{failed} of the two stopped; after one more call, files equal byte for byte"
    return Outcome("Two Snakemakes at once, called from two folders", 1, 1, seen)
