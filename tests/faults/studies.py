"""The studies that faults are tried on, and their comparison with an undisturbed study."""

from dataclasses import dataclass
from pathlib import Path

from tests.faults.compare import differences
from tests.workflow.conftest import Study

# Every stage of the smoke study, with a few of its methods.
FEW = {
    "mini-rn": {"methods": ["zero_shot", "prompt_ce", "classifier_r", "linear_probe"]},
    "mini-vit": {"methods": ["zero_shot"]},
}
# The files with wrong labels: every stage up to these takes a few seconds.
DRAWS = tuple(f"<results>/noise/symbols/symmetric/fp-8/seed-{seed}.parquet" for seed in (1, 2))


@dataclass(frozen=True)
class Outcome:
    """One row of the table of faults."""

    fault: str  # what was done to the study
    tried: int
    survived: int
    seen: str  # what the study then said, or did


class NotSurvived(AssertionError):
    """After a fault, a study is not as an undisturbed run leaves it."""


def finished(study: Study, *arguments: str) -> Study:
    """Run a study, which must end without an error."""
    said = study.snakemake(*arguments)
    if said.returncode:
        raise NotSurvived(said.stdout + said.stderr)
    return study


def require_same(study: Study, whole: Study, *targets: str) -> None:
    """A study must have the files of an undisturbed one, and nothing left to do.

    targets : what both have made; without them, the whole study
    """
    found = differences(study.results, whole.results)
    if found:
        raise NotSurvived(f"differ: {', '.join(found)}")
    if left := study.planned(*targets):
        raise NotSurvived(f"would run again: {left}")


def names_it(said: str, path: Path) -> bool:
    """Whether a log names a path and has no Python traceback."""
    return "Traceback (most recent call last)" not in said and str(path) in said
