"""Comparing the files of two runs of a study, except for times and names of folders."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import yaml

# What a job took, and what of ptnl's files is computed from all their other bytes.
TIMES = {"job_seconds", "memory_gib", "ptnl_seal"}
# Files that say what jobs took, in words, numbers or pictures.
TIMED = ("cost.csv", "cost.md", "report.html", "runs.csv")


def content(path: Path) -> Any:
    """A file's bytes, or what it says without times and without where the study lies."""
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
    """The files of a study, hidden ones too, but for its logs."""
    found = (path.relative_to(results) for path in results.rglob("*") if path.is_file())
    return {str(path) for path in found if path.parts[0] != "logs"}


def differences(results: Path, other: Path) -> list[str]:
    """The files that only one of two runs of a study has, or that differ."""
    ours, theirs = files(results), files(other)
    compared = sorted(name for name in ours & theirs if name not in TIMED)
    unequal = [name for name in compared if content(results / name) != content(other / name)]
    return sorted(ours ^ theirs) + unequal
