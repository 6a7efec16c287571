"""Damage files of every kind at random, and count what happens when they are read.

    python -m tests.measurements.damaged_files [COUNT]

Every bit flip, truncation, swap of blocks and empty file must either be found, with the file named,
or have no effect on what is read. Otherwise the exit status is 1.
"""

import random
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.damage import WAYS, artefacts, outcome


def damaged(count: int) -> dict[tuple[str, str], Counter]:
    """(file, way of damage) -> how often each outcome (see `tests.damage.outcome`)."""
    stream = random.Random(0)
    found: dict[tuple[str, str], Counter] = {}
    with TemporaryDirectory() as folder:
        made = artefacts(Path(folder))
        for number in range(count):
            artefact, way = made[number % len(made)], stream.choice(WAYS)
            key = artefact.path.name, way.__name__
            found.setdefault(key, Counter())[outcome(artefact, way, stream)] += 1
    return found


def main() -> None:
    found = damaged(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
    for (name, way), outcomes in sorted(found.items()):
        print(f"{name:22} {way:10} {dict(outcomes)}")
    total = sum(found.values(), Counter())
    print(dict(total))
    sys.exit(bool(set(total) - {"named", "without effect"}))


if __name__ == "__main__":
    main()
