"""Two calls of Snakemake on one study at the same time."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from ptnl.machine import job_server
from tests.faults.studies import NotSurvived, Outcome, finished, require_same
from tests.warm import server
from tests.workflow.conftest import Study

POLL = 0.005  # seconds


@dataclass(frozen=True)
class Ended:
    """How a call of Snakemake ended, and what it printed."""

    status: int
    said: str


def started(study: Study, folder: Path, *arguments: str) -> subprocess.Popen:
    """Start Snakemake on a study from a folder, in a process group of its own."""
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [word for word in study.command(*arguments) if word != "--nolock"],
        cwd=folder,
        env={**os.environ, job_server.ADDRESS: str(server())},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def ended(process: subprocess.Popen) -> Ended:
    """How a process ended, once it has."""
    said, _ = process.communicate()
    return Ended(process.returncode, said)


def from_one_folder(whole: Study, study: Study, *targets: str) -> Outcome:
    """Snakemake's lock refuses the second call, and the first runs as if it were alone."""
    first = started(study, study.folder, *targets)
    locks = study.folder / ".snakemake/locks"
    while not any(lock.stat().st_size for lock in locks.glob("*.output.lock")):
        if first.poll() is not None:
            raise NotSurvived(ended(first).said)
        time.sleep(POLL)
    os.killpg(first.pid, signal.SIGSTOP)  # so that it is not done before the second has begun
    try:
        second = ended(started(study, study.folder, *targets))
    finally:
        os.killpg(first.pid, signal.SIGCONT)
    alone = ended(first)
    if alone.status or not second.status or "lock" not in second.said:
        raise NotSurvived(f"{alone.said}\n{second.said}")
    require_same(study, whole, *targets)
    seen = "one is refused by Snakemake's lock, the other's files are equal byte for byte"
    return Outcome("Two Snakemakes at once, called from one folder", 1, 1, seen)


def from_two_folders(whole: Study, study: Study, *targets: str) -> Outcome:
    """No lock stops the second call. However the two end, a third call completes the study."""
    both = [started(study, study.folder / name, *targets) for name in ("one", "other")]
    failed = sum(ended(process).status > 0 for process in both)
    require_same(finished(study, *targets), whole, *targets)
    seen = f"{failed} of the two stopped; after one more call, files equal byte for byte"
    return Outcome("Two Snakemakes at once, called from two folders", 1, 1, seen)
