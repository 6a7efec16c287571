"""The decisions of a review, applied to a copy of the labels. Pure except for reading a file."""

from collections import Counter
from pathlib import Path

import pandas as pd

from ptnl.errors import InputError
from ptnl.own.names import read_table
from ptnl.schemas import rows_of

COLUMNS = ("image", "label", "decision", "new_label")
# keep and unsure leave a label unchanged; suggestion and other give a new one; drop removes it.
DECISIONS = ("keep", "suggestion", "other", "drop", "unsure")


def read_decisions(path: Path, labels: dict[str, str], classes: list[str]) -> pd.DataFrame:
    """Read decisions; one that is not about a label of this audit is an `InputError`."""
    table = read_table(path)
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise InputError(f"{path}: misses the column {missing[0]}; review.html downloads the file")
    known = set(classes)
    repeated = table.image.duplicated()
    if repeated.any():
        place = int(repeated.to_numpy().argmax())
        image = table.image.iloc[place]
        raise InputError(f"{path}: row {place + 2} decides on {image!r} a second time")
    for number, row in enumerate(rows_of(table), start=2):
        if row.image not in labels:
            raise InputError(f"{path}: row {number} names {row.image!r}, which is not in the audit")
        if row.label != labels[row.image]:
            raise InputError(
                f"{path}: row {number} was decided on the label {row.label!r}, but the audit's is "
                f"{labels[row.image]!r}; it belongs to another audit"
            )
        if row.decision not in DECISIONS:
            raise InputError(
                f"{path}: row {number} decides {row.decision!r}, which is not one of "
                f"{', '.join(DECISIONS)}"
            )
        if row.decision in ("suggestion", "other") and row.new_label not in known:
            raise InputError(
                f"{path}: row {number} gives the label {row.new_label!r}, which is not a class"
            )
    return table


def corrected(labels: dict[str, str], decisions: pd.DataFrame) -> dict[str, str]:
    """The labels after the decisions, in the same order."""
    after = dict(labels)
    for row in rows_of(decisions):
        if row.decision in ("suggestion", "other"):
            after[row.image] = row.new_label
        elif row.decision == "drop":
            del after[row.image]
    return after


def counted(decisions: pd.DataFrame) -> str:
    """How many decisions of each kind there are."""
    counts = Counter(decisions.decision)
    return ", ".join(f"{counts[decision]} {decision}" for decision in DECISIONS)
