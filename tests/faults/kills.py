"""SIGKILL of all processes of a study, again and again, at moments that a seed decides."""

import os
import random
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.faults.log import Job, jobs_in
from tests.faults.studies import NotSurvived, Outcome, finished, require_same
from tests.workflow.conftest import Study

# Stage -> how the names of its rules begin, in the order in which a study comes to them.
STAGES = {
    "download": ("download_",),
    "index": ("index_",),
    "sample": ("sample_shots",),
    "noise": ("inject_",),
    "features": ("encode_",),
    "pseudo-labels": ("pseudolabel_", "sample_pseudolabels"),
    "training": ("tune_", "finetune_", "evaluate_", "ensemble_"),
    "collection": ("collect_",),
    "tables": ("make_",),
    "figures": ("plot_",),
    "report": ("check_", "report_", "write_report"),
}
MOST_SECONDS = 3  # a moment is at most so long after a job of its stage began
POLL = 0.01


@dataclass(frozen=True)
class Moment:
    """When to kill: so many seconds after the first job of a stage has begun."""

    stage: str
    seconds: float


def moments(count: int, seed: int) -> list[Moment]:
    """One moment in every stage and the others at random, in the order of the stages."""
    stream = random.Random(seed)
    names = list(STAGES)
    # Most jobs train, so most moments do.
    more = stream.choices(names, [6 if name == "training" else 1 for name in names], k=count)
    chosen = names[:count] + more[: max(0, count - len(names))]
    return [
        Moment(name, stream.uniform(0, MOST_SECONDS)) for name in sorted(chosen, key=names.index)
    ]


def of_stage(job: Job, stage: str) -> bool:
    return job.rule.startswith(STAGES[stage])


def killed(study: Study, moment: Moment, log: Path) -> list[Job]:
    """Run a study until a moment, then kill it; its jobs. Empty where it ended before."""
    with (
        log.open("w") as file,
        subprocess.Popen(
            study.command(), cwd=study.folder, stdout=file, stderr=file, start_new_session=True
        ) as process,
    ):
        while not any(of_stage(job, moment.stage) for job in jobs_in(log.read_text())):
            if process.poll() is not None:
                return []
            time.sleep(POLL)
        time.sleep(moment.seconds)
        os.killpg(process.pid, signal.SIGKILL)
    return jobs_in(log.read_text())


def killed_again_and_again(whole: Study, study: Study, count: int, seed: int) -> Outcome:
    """A study that was killed so often has the files of an undisturbed one."""
    hit: dict[str, int] = {}
    cut = 0
    for number, moment in enumerate(moments(count, seed)):
        jobs = killed(study, moment, study.folder / f"killed-{number}.log")
        if not jobs:
            raise NotSurvived(f"the study ended before it came to {moment}")
        running = [job for job in jobs if not job.finished]
        cut += len(running)
        for stage in STAGES:
            hit[stage] = hit.get(stage, 0) + any(of_stage(job, stage) for job in running)
    require_same(finished(study), whole)
    missed = [stage for stage, times in hit.items() if not times]
    if missed:
        raise NotSurvived(f"no kill hit {', '.join(missed)}; try another seed")
    stages = ", ".join(f"{stage} {times}" for stage, times in hit.items())
    seen = f"{cut} jobs were cut and done again ({stages}); files equal byte for byte"
    return Outcome(
        f"SIGKILL of the whole process group, moments of seed {seed}", count, count, seen
    )
