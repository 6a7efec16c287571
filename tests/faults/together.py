"""Two calls of Snakemake on one study at the same time."""

import os
import signal
import subprocess
import time
from concurrent.futures import Future
from pathlib import Path

from tests.faults.studies import NotSurvived, Outcome, finished, require_same
from tests.warm import begin
from tests.workflow.conftest import Study

POLL = 0.005  # seconds


Call = subprocess.CompletedProcess[str]


def started(study: Study, folder: Path, *arguments: str) -> Future[Call]:
    """Start Snakemake on a study from a folder, whose file `group` tells the process group."""
    folder.mkdir(exist_ok=True)
    command = [word for word in study.command(*arguments) if word != "--nolock"]
    return begin(command, folder, folder / "group")


def words(call: Call) -> str:
    """What a call printed."""
    return call.stdout + call.stderr


def from_one_folder(whole: Study, study: Study, *targets: str) -> Outcome:
    """Snakemake's lock refuses the second call, and the first runs as if it were alone."""
    first = started(study, study.folder, *targets)
    locks = study.folder / ".snakemake/locks"
    while not any(lock.stat().st_size for lock in locks.glob("*.output.lock")):
        if first.done():
            raise NotSurvived(words(first.result()))
        time.sleep(POLL)
    group = int((study.folder / "group").read_text())
    os.killpg(group, signal.SIGSTOP)  # so that it is not done before the second has begun
    try:
        second = started(study, study.folder, *targets).result()
    finally:
        os.killpg(group, signal.SIGCONT)
    alone = first.result()
    if alone.returncode or not second.returncode or "lock" not in words(second):
        raise NotSurvived(f"{words(alone)}\n{words(second)}")
    require_same(study, whole, *targets)
    seen = "one is refused by Snakemake's lock, the other's files are equal byte for byte"
    return Outcome("Two Snakemakes at once, called from one folder", 1, 1, seen)


def from_two_folders(whole: Study, study: Study, *targets: str) -> Outcome:
    """No lock stops the second call. However the two end, a third call completes the study.

    It asks for each file by name. Snakemake removes a job's old files before the job begins, so a
    call that stops then leaves one missing that the other has made, and what was made from it is
    there: a call for that alone would have nothing to do.
    """
    both = [started(study, study.folder / name, *targets) for name in ("one", "other")]
    failed = sum(call.result().returncode > 0 for call in both)
    made = [path for job in whole.jobs() for path in job.outputs if whole.path(path).exists()]
    finished(study, *(str(study.path(path)) for path in made))
    require_same(study, whole, *targets)
    seen = f"{failed} of the two stopped; after one more call, files equal byte for byte"
    return Outcome("Two Snakemakes at once, called from two folders", 1, 1, seen)
