"""Hostile and damaged files: run the tests that try them, and count the cases."""

import re
import subprocess
import sys
from collections import Counter

from tests.faults.studies import NotSurvived, Outcome
from tests.measurements.damaged_files import damaged
from tests.workflow.conftest import ROOT

# Kind of hostile input -> the tests that try it, and what they have shown if they pass.
CASES = {
    "Archives: climbing names, links, devices, lies about sizes, cut or damaged": (
        ["tests/unit/test_extract.py"],
        "nothing is written outside the folder, nothing half-unpacked",
    ),
    "Weights: pickles that hold code, other shapes, other numbers, damaged": (
        ["tests/unit/test_weights.py", "tests/unit/test_bounds.py"],
        "no code runs; one sentence names the file",
    ),
    "Folders, images, manifests, archives and checkpoints of strangers": (
        [
            "tests/inputs/test_inputs.py",
            "tests/inputs/test_properties.py",
            "tests/unit/test_bad_images.py",
        ],
        "read right, or refused in one sentence; nothing of theirs is changed",
    ),
    "Configs: wrong types, ranges, names, YAML that is damaged": (
        ["tests/inputs/test_configs.py"],
        "one sentence names the key",
    ),
    "Servers: cut, stalled, lying or changed downloads; a file by another process": (
        ["tests/unit/test_download.py"],
        "the right bytes, or one sentence and no file",
    ),
    "Names of folders, classes and files with quotes, semicolons, `$()` and newlines": (
        ["tests/workflow/test_shell.py"],
        "no shell runs them",
    ),
}


def passed(files: list[str]) -> int:
    """Run some files of tests; how many tests passed, which must be all."""
    said = subprocess.run(
        [sys.executable, "-m", "pytest", *files],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if said.returncode:
        raise NotSurvived(said.stdout + said.stderr)
    return int(re.search(r"(\d+) passed", said.stdout)[1])


def hostile_inputs() -> list[Outcome]:
    found = []
    for fault, (files, seen) in CASES.items():
        count = passed(files)
        found.append(Outcome(f"{fault} ({', '.join(files)})", count, count, seen))
    return found


def damaged_artefacts(count: int) -> Outcome:
    """Damage files of every kind that ptnl writes, at random."""
    outcomes = damaged(count)
    total = sum(outcomes.values(), Counter())
    survived = total["named"] + total["without effect"]
    kinds = len({name for name, _ in outcomes})
    seen = f"{total['named']} named, {total['without effect']} without effect on what is read"
    fault = f"Files of {kinds} kinds with a bit flipped, cut, emptied or blocks swapped"
    return Outcome(fault, count, survived, seen)
