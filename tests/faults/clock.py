"""A clock that is set back, so that earlier files have times in the future."""

import os
import time
from pathlib import Path

from tests.faults.studies import NotSurvived, Outcome, finished, require_same
from tests.workflow.conftest import Study

DAY = 24 * 3600 * 10**9  # nanoseconds


def give_time(folder: Path, nanoseconds: int) -> None:
    """Set the time of change of everything in a folder."""
    for path in (folder, *folder.rglob("*")):
        os.utime(path, ns=(nanoseconds, nanoseconds), follow_symlinks=False)


def set_back(whole: Study, study: Study, *targets: str) -> Outcome:
    """A study whose first half was made before the clock was set back by a day.

    Snakemake refuses to make files that are older than their inputs. Once the first half has the
    present time, as `touch` sets it, the study can be finished.
    """
    finished(study, str(study.path("<results>/shots/symbols/seed-1.parquet")))
    give_time(study.folder, time.time_ns() + DAY)
    said = study.snakemake(*targets)
    if not said.returncode or "clock skew" not in said.stdout + said.stderr:
        raise NotSurvived(said.stdout + said.stderr)
    give_time(study.folder, time.time_ns())
    require_same(finished(study, *targets), whole, *targets)
    seen = "Snakemake names the files and the clock; after `touch`, files equal byte for byte"
    return Outcome("The clock set back by a day in the middle", 1, 1, seen)
