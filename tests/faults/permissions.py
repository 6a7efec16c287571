"""Folders without permission to write, and files without permission to read."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ptnl.machine import job_server
from tests.faults.studies import NotSurvived, Outcome, finished, names_it, require_same
from tests.snapshot import snapshot
from tests.workflow.conftest import Study

# Root may read and write files of any mode, unless it lacks these two capabilities.
OBEY = "--bounding-set=-dac_override,-dac_read_search"
READ_ONLY, CLOSED = 0o555, 0


@contextmanager
def mode(path: Path, bits: int) -> Iterator[None]:
    """Give a path another mode for a while."""
    before = path.stat().st_mode
    path.chmod(bits)
    try:
        yield
    finally:
        path.chmod(before)


def bound_by_modes(command: Sequence[str]) -> list[str]:
    """A command that obeys the modes of files even when root calls it."""
    return ["setpriv", OBEY, *command] if os.geteuid() == 0 else [*command]


def snakemake(study: Study, *targets: str) -> str:
    """Run a study as a user who must obey the modes of files; it must fail, and what it says.

    No job server starts: the few jobs that begin import less by themselves.
    """
    said = subprocess.run(
        bound_by_modes(study.command(*targets)),
        cwd=study.folder,
        env={**os.environ, job_server.ADDRESS: os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )
    if not said.returncode:
        raise NotSurvived("it succeeded")
    return said.stdout + said.stderr


def refused(study: Study, path: Path, bits: int, *targets: str) -> None:
    """A path with such a mode must be named, and no file of the study changed or lost."""
    before = snapshot(study.results)
    with mode(path, bits):
        said = snakemake(study, *targets)
    if not names_it(said, path):
        raise NotSurvived(f"{path}: {said}")
    now = snapshot(study.results)
    hit = [name for name in before if name not in now or before[name][2] != now[name][2]]
    if hit := [name for name in hit if not name.startswith("logs/")]:
        raise NotSurvived(f"{path}: lost or changed {', '.join(hit)}")


def forbidden(whole: Study, study: Study, *targets: str) -> Outcome:
    """Forbid one path after the other; then finish the study.

    targets : the study's draws with wrong labels; without them, the whole study
    """
    study.results.mkdir()
    draw = study.path("<results>/shots/symbols/seed-1.parquet")
    noise = study.results / "noise"
    refused(study, study.results, READ_ONLY, *targets)
    finished(study, str(draw))
    noise.mkdir()
    refused(study, noise, READ_ONLY, *targets)
    refused(study, draw, CLOSED, *targets)
    refused(study, draw.parent, CLOSED, *targets)
    data = study.folder / "data/symbols"
    refused(study, data / "receipt.json", CLOSED, *targets)
    refused(study, data, CLOSED, *targets)
    require_same(finished(study, *targets), whole, *targets)
    seen = "the path was named, nothing else touched; with the right modes, files equal"
    return Outcome(
        "Read-only: results, a stage's folder; unreadable: an input, its folder, a data set, its "
        "receipt",
        6,
        6,
        seen,
    )
