"""Compare the files of two runs of a study, except for times and names of folders."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

# Keys that may differ: what a job took, and the checksum that depends on all other bytes of a file.
TIMES = {"job_seconds", "memory_gib", "ptnl_seal"}
# Files that show what jobs took.
TIMED = ("cost.csv", "cost.md", "report.html", "runs.csv")


def content(path: Path) -> Any:
    """A file's bytes, or its content without times and without the paths of the study."""
    if path.name == "config.yaml":
        config = yaml.safe_load(path.read_text())
        return {key: value for key, value in config.items() if key != "pathvars"}
    if path.name == "metrics.json":
        said = json.loads(path.read_text())
        return {key: value for key, value in said.items() if key not in TIMES}
    if path.name == "runs.parquet":
        table = pq.read_table(path)
        rows = table.drop_columns(sorted(TIMES & set(table.column_names)))
        return rows.replace_schema_metadata(None)
    return path.read_bytes()


def files(results: Path) -> set[str]:
    """The files of a study except its logs, hidden files among them."""
    found = (path.relative_to(results) for path in results.rglob("*") if path.is_file())
    return {str(path) for path in found if path.parts[0] != "logs"}


def differences(results: Path, other: Path) -> list[str]:
    """The files that differ between two runs of a study, or that only one of them has."""
    ours, theirs = files(results), files(other)
    compared = sorted(name for name in ours & theirs if name not in TIMED)
    unequal = [name for name in compared if content(results / name) != content(other / name)]
    return sorted(ours ^ theirs) + unequal
