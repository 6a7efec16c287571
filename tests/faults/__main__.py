"""Try every fault, and write what was survived into the documentation: `make test-faults`.

    python -m tests.faults [FAULT ...] [--kills 20] [--docs workflow/docs/faults.md]

Needs root: only root may mount small disks, and give up its right to ignore the modes of files.
The exit status is 1 if a fault was not survived.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from ptnl.provenance import commit
from tests.faults.clock import set_back
from tests.faults.disk import filled_up, room_taken
from tests.faults.hostile import damaged_artefacts, hostile_inputs
from tests.faults.kills import killed_again_and_again
from tests.faults.permissions import forbidden
from tests.faults.studies import DRAWS, FEW, NotSurvived, Outcome, finished
from tests.faults.together import from_one_folder, from_two_folders
from tests.workflow.conftest import Study

SEED = 1
# Sizes of a disk, as shares of the room that an undisturbed study takes. A file is written beside
# its place and then moved there, which takes more room, so the last size is generous.
DISKS = (0.003, 0.1, 0.4, 0.8, 4)
BEGIN, END = "<!-- faults: begin -->\n", "<!-- faults: end -->\n"


@dataclass
class Trials:
    """Studies in a folder, and the undisturbed studies to compare them with, run when needed."""

    folder: Path
    kills: int

    def new(self, name: str, **changes) -> Study:
        return Study.create(self.folder / name, **changes)

    def draws(self, study: Study) -> list[str]:
        return [str(study.path(draw)) for draw in DRAWS]

    @cached_property
    def few(self) -> Study:
        return finished(self.new("few", backbones=FEW))

    @cached_property
    def drawn(self) -> Study:
        study = self.new("drawn")
        return finished(study, *self.draws(study))


def killed(trials: Trials) -> list[Outcome]:
    return [killed_again_and_again(trials.new("whole"), trials.new("killed"), trials.kills, SEED)]


def full(trials: Trials) -> list[Outcome]:
    needed = room_taken(trials.few.results)
    sizes = [round(share * needed) for share in DISKS]
    return [filled_up(trials.few, trials.new("full", backbones=FEW), sizes)]


def modes(trials: Trials) -> list[Outcome]:
    study = trials.new("modes")
    return [forbidden(trials.drawn, study, *trials.draws(study))]


def clock(trials: Trials) -> list[Outcome]:
    study = trials.new("clock")
    return [set_back(trials.drawn, study, *trials.draws(study))]


def together(trials: Trials) -> list[Outcome]:
    return [
        from_one_folder(trials.few, trials.new("locked", backbones=FEW)),
        from_two_folders(trials.few, trials.new("unlocked", backbones=FEW)),
    ]


def damaged(trials: Trials) -> list[Outcome]:
    return [damaged_artefacts(2000)]


def hostile(trials: Trials) -> list[Outcome]:
    return hostile_inputs()


FAULTS: dict[str, Callable[[Trials], Iterable[Outcome]]] = {
    "killed": killed,
    "full": full,
    "modes": modes,
    "clock": clock,
    "together": together,
    "damaged": damaged,
    "hostile": hostile,
}


def table(outcomes: Iterable[Outcome]) -> str:
    """The table for the docs, with the date and the machine of the measurement."""
    machine = f"{os.cpu_count()} cores, Linux {platform.release()}, Python"
    lines = [
        f"Measured on {datetime.now(UTC):%d %B %Y} at commit {commit()}, on {machine} "
        f"{platform.python_version()}.\n",
        "| fault | tried | survived | what the study said or did |",
        "|---|---:|---:|---|",
    ]
    lines += [f"| {one.fault} | {one.tried} | {one.survived} | {one.seen} |" for one in outcomes]
    return "\n".join(lines) + "\n"


def rewrite(page: Path, outcomes: Iterable[Outcome]) -> None:
    """Replace the table of a page."""
    head, rest = page.read_text().split(BEGIN)
    page.write_text(head + BEGIN + "\n" + table(outcomes) + "\n" + END + rest.split(END)[1])


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument(
        "faults", nargs="*", metavar="FAULT", help=f"all, or some of {', '.join(FAULTS)}"
    )
    arguments.add_argument("--kills", type=int, default=20, help="how often to kill a study")
    arguments.add_argument("--docs", type=Path, help="page whose table of faults to replace")
    args = arguments.parse_args()
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="ptnl-faults-") as folder:
        trials = Trials(Path(folder), args.kills)
        for name in args.faults or FAULTS:
            try:
                found = list(FAULTS[name](trials))
            except NotSurvived as error:
                print(f"{name}: not survived\n{error}", file=sys.stderr, flush=True)
                found = [Outcome(name, 1, 0, "not survived")]
            outcomes += found
            for one in found:
                print(f"{one.survived} of {one.tried}: {one.fault}: {one.seen}", flush=True)
            if args.docs:
                rewrite(args.docs, outcomes)
    sys.exit(any(one.survived < one.tried for one in outcomes))


if __name__ == "__main__":
    main()
