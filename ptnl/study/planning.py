"""Which files of a study are missing."""

from collections.abc import Callable, Iterable

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
