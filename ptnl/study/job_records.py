"""Time and memory of past jobs, from the records that `ptnl.cli.job` writes beside their logs.

Imports neither torch nor pandas.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

from ptnl.errors import InputError


@dataclass(frozen=True)
class Measured:
    """A job that has run."""

    seconds: float  # wall time, from the start of the process to its end
    memory_gib: float  # peak resident memory; NaN where the job was too short to be sampled


def read_records(folder: Path) -> dict[str, Measured]:
    """Path of every record below the folder -> its job; empty where there is no folder.

    Hidden files are left out: they are records that are being written, or were when a job was
    killed.
    """
    found = (path for path in sorted(folder.rglob("*.tsv")) if not path.name.startswith("."))
    return {path.relative_to(folder).as_posix(): _read(path) for path in found}


def _read(path: Path) -> Measured:
    """The last row of a record: each attempt of a job adds one."""
    try:
        with path.open(newline="") as file:
            row = list(csv.DictReader(file, delimiter="\t"))[-1]
        return Measured(float(row["s"]), _mib(row["max_rss"]) / 1024)
    except (OSError, IndexError, KeyError, ValueError) as error:
        raise InputError(f"{path}: not readable as the record of a job; delete it") from error


def _mib(text: str) -> float:
    return float("nan") if text in ("-", "NA") else float(text)
