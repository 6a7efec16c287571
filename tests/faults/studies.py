"""Studies that faults are tried on, and the comparison with an undisturbed study."""

from dataclasses import dataclass
from pathlib import Path

from tests.faults.compare import differences
from tests.workflow.conftest import Study

# Every stage of the smoke study, with a few of its methods.
FEW = {
    "mini-rn": {"methods": ["zero_shot", "prompt_ce", "classifier_r", "linear_probe"]},
    "mini-vit": {"methods": ["zero_shot"]},
}
# Every stage up to the noise, in seconds.
DRAWS = tuple(f"<results>/noise/symbols/symmetric/fp-8/seed-{seed}.parquet" for seed in (1, 2))


@dataclass(frozen=True)
class Outcome:
    """A line of the table of faults."""

    fault: str  # what was done to the study
    tried: int
    survived: int
    seen: str  # what the study then said, or did


class NotSurvived(AssertionError):
    """What a fault left is not what an undisturbed run leaves."""


def finished(study: Study, *arguments: str) -> Study:
    """A study once its run has ended without an error."""
    said = study.snakemake(*arguments)
    if said.returncode:
        raise NotSurvived(said.stdout + said.stderr)
    return study


def require_same(study: Study, whole: Study, *targets: str) -> None:
    """A study that was hit must have an undisturbed one's files, and nothing left to do.

    targets : of both, where they are not whole studies
    """
    found = differences(study.results, whole.results)
    if found:
        raise NotSurvived(f"differ: {', '.join(found)}")
    if left := study.planned(*targets):
        raise NotSurvived(f"would run again: {left}")


def names_it(said: str, path: Path) -> bool:
    """Whether a log names a path, and shows no traceback of Python's."""
    return "Traceback (most recent call last)" not in said and str(path) in said
