"""Read from Snakemake's log which jobs it began and finished."""

import re
from dataclasses import dataclass
from pathlib import Path

_JOB = re.compile(
    r"^(?:local)?rule (\w+):\n(?:    .*\n)*?    output: (.*)\n(?:    .*\n)*?    jobid: (\d+)$",
    flags=re.M,
)


@dataclass(frozen=True)
class Job:
    """A job that Snakemake began."""

    rule: str
    outputs: tuple[Path, ...]
    finished: bool


def jobs_in(said: str) -> list[Job]:
    """The jobs in a log, in the order in which they began."""
    ended = set(re.findall(r"Finished jobid: (\d+)", said))
    return [
        Job(rule, tuple(map(Path, files.split(", "))), number in ended)
        for rule, files, number in _JOB.findall(said)
    ]
