"""Which jobs of a study are left to do."""

from collections.abc import Callable, Iterable, Sequence

from ptnl.study.job_files import Job


def missing_files(jobs: Iterable[Job], exists: Callable[[str], bool]) -> list[str]:
    """The first missing file of every job that has one, whether it was deleted or never made.

    Parameters
    ----------
    jobs : see `ptnl.study.jobs.study_jobs`
    exists : whether a file is there
    """
    lost = (next((file for file in job.outputs if not exists(file)), None) for job in jobs)
    return [file for file in lost if file is not None]


def to_do(jobs: Sequence[Job], exists: Callable[[str], bool]) -> set[Job]:
    """The jobs that Snakemake runs for the sake of files that are not there.

    A job runs when a file of its own is missing, or when a file that it reads is made anew. (What
    was edited since, Snakemake alone knows.)
    """
    readers: dict[str, list[Job]] = {}
    for job in jobs:
        for file in job.inputs:
            readers.setdefault(file, []).append(job)
    found: set[Job] = set()
    queue = [job for job in jobs if not all(map(exists, job.outputs))]
    while queue:
        job = queue.pop()
        if job not in found:
            found.add(job)
            queue += [reader for file in job.outputs for reader in readers.get(file, [])]
    return found
