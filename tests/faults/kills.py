"""Kill all processes of a study (SIGKILL) again and again, at moments drawn from a seed."""

import itertools
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tests.faults.log import Job, jobs_in
from tests.faults.studies import NotSurvived, Outcome, finished, require_same
from tests.workflow.conftest import Study

# Stage -> how the names of its rules begin, in the order in which a study reaches the stages.
STAGES = {
    "download": ("download_",),
    "index": ("index_",),
    "sample": ("sample_shots",),
    "noise": ("inject_",),
    "features": ("encode_",),
    "pseudo-labels": ("pseudolabel_", "sample_pseudolabels"),
    "training": ("tune_", "finetune_", "evaluate_", "ensemble_"),
    "collection": ("collect_", "select_"),
    "tables": ("make_",),
    "figures": ("plot_",),
    "report": ("check_", "report_", "write_report"),
}
MOST_TRIES = 5  # for each moment, because a job may end before it is killed
POLL = 0.005  # seconds


@dataclass(frozen=True)
class Moment:
    """When to kill: at a share of the time that the first running job of a stage usually takes."""

    stage: str
    share: float


def moments(count: int, seed: int) -> list[Moment]:
    """One moment in every stage and the others at random, in the order of the stages."""
    stream = random.Random(seed)
    names = list(STAGES)
    # Most jobs train, so most moments do.
    more = stream.choices(names, [6 if name == "training" else 1 for name in names], k=count)
    chosen = names[:count] + more[: max(0, count - len(names))]
    return [Moment(name, stream.random()) for name in sorted(chosen, key=names.index)]


def of_stage(rule: str, stage: str) -> bool:
    """Whether a rule, or the log of one of its jobs, belongs to a stage."""
    return rule.startswith(STAGES[stage])


@contextmanager
def running(study: Study, log: Path) -> Iterator[subprocess.Popen]:
    """Run a study in a process group of its own, and kill the group at the end."""
    with (
        log.open("w") as file,
        subprocess.Popen(
            study.command(), cwd=study.folder, stdout=file, stderr=file, start_new_session=True
        ) as process,
    ):
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def at_work(study: Study, group: int) -> set[str]:
    """The jobs that the job server of a process group is working on, named by their logs.

    The server forks for each job that it begins, and the fork writes to the job's log. A job that
    still waits for the server does not count.
    """
    logs = f"{study.results}/logs/"
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(process.name)) == group:
                command = (process / "cmdline").read_bytes().split(b"\0")
                target = str((process / "fd/1").readlink())
                if b"--serve" in command and target.startswith(logs):
                    found.add(target.removeprefix(logs))
        except OSError:  # it has ended
            continue
    return found


def usual_seconds(study: Study, log: Path) -> dict[str, float]:
    """Run a study to its end; log of a job -> the seconds that the job was at work."""
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    with running(study, log) as process:
        while process.poll() is None:
            now = time.monotonic()
            for job in at_work(study, process.pid):
                first.setdefault(job, now)
                last[job] = now
            time.sleep(POLL)
    if process.returncode:
        raise NotSurvived(log.read_text())
    return {job: last[job] - first[job] for job in first}


def killed(study: Study, moment: Moment, usual: Mapping[str, float], log: Path) -> list[Job]:
    """Run a study until a moment, then kill it; the jobs that this cut short.

    usual : log of a job -> the seconds that it usually works; a job that is missing there is
        killed at once
    """
    with running(study, log) as process:
        while process.poll() is None:
            jobs = sorted(at_work(study, process.pid))
            if begun := [job for job in jobs if of_stage(job, moment.stage)]:
                time.sleep(moment.share * usual.get(begun[0], 0))
                break
            time.sleep(POLL)
    return [job for job in jobs_in(log.read_text()) if not job.finished]


def reopen(study: Study, done: Sequence[Job]) -> None:
    """If all jobs of a stage are done, remove the output of one, so that it runs again."""
    outputs = [[study.folder / path for path in job.outputs] for job in done]
    if all(path.exists() for paths in outputs for path in paths):
        for path in outputs[-1]:
            path.unlink()


def killed_again_and_again(whole: Study, study: Study, count: int, seed: int) -> Outcome:
    """Kill a study `count` times; in the end it must have the files of an undisturbed study.

    whole : the undisturbed study, not run yet: how long its jobs take decides when the other
        study's jobs are killed
    """
    log = whole.folder / "whole.log"
    usual = usual_seconds(whole, log)
    jobs = [
        replace(job, outputs=tuple(path.relative_to(whole.folder) for path in job.outputs))
        for job in jobs_in(log.read_text())
        if job.outputs
    ]
    hit = dict.fromkeys(STAGES, 0)
    cuts = []  # jobs that each kill cut short
    logs = (study.folder / f"killed-{number}.log" for number in itertools.count())
    for moment in moments(count, seed):
        for _ in range(MOST_TRIES):
            reopen(study, [job for job in jobs if of_stage(job.rule, moment.stage)])
            cut = killed(study, moment, usual, next(logs))
            cuts += [len(cut)] if cut else []
            for stage in STAGES:
                hit[stage] += any(of_stage(job.rule, stage) for job in cut)
            if any(of_stage(job.rule, moment.stage) for job in cut):
                break
        else:
            raise NotSurvived(f"no job was cut short at {moment}")
    require_same(finished(study), whole)
    stages = ", ".join(f"{stage} {times}" for stage, times in hit.items())
    seen = f"{sum(cuts)} jobs were cut and done again ({stages}); files equal byte for byte"
    return Outcome(
        f"SIGKILL of the whole process group, moments of seed {seed}", len(cuts), len(cuts), seen
    )
