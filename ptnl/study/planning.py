"""Which files of a study are missing."""

from collections.abc import Callable, Iterable

from ptnl.study.job_files import Job


def missing_files(jobs: Iterable[Job], exists: Callable[[str], bool]) -> list[str]:
    """Of every job that left a file that is not there any more, or never was, the first such file.

    Parameters
    ----------
    jobs : see `ptnl.study.jobs.study_jobs`
    exists : whether a file is there
    """
    lost = (next((file for file in job.outputs if not exists(file)), None) for job in jobs)
    return [file for file in lost if file is not None]
