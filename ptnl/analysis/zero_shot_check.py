"""The zero-shot check: is CLIP, with nothing trained, as accurate here as published?

Zero-shot accuracy depends on no seed and no hyper-parameter, but on everything else that a study
needs: the test images, their class names, the prompt, the image transform and the weights. Pure
functions of the zero-shot runs.
"""

import pandas as pd

from ptnl.analysis.published import beside
from ptnl.analysis.text_tables import markdown_table
from ptnl.data import title_of
from ptnl.schemas import rows_of

TABLE = 5  # the paper's, whose first column is zero-shot CLIP
SOURCE = f"the paper's Table {TABLE}"
TOLERANCE = 1.5  # points; peers that share a split and the class names differ by less
CAUSES = (
    "The likely causes, in this order: test images of another split, an image transform that is "
    "not CLIP's, class names or a prompt other than CoOp's, other weights."
)

AGREES, OFF, UNKNOWN = "agrees", "off", "nothing published"


def against_published(runs: pd.DataFrame, numbers: pd.DataFrame) -> pd.DataFrame:
    """Zero-shot accuracies beside the published ones.

    Parameters
    ----------
    runs : zero-shot runs (see `ptnl.schemas.RUNS`)
    numbers : the frame of `ptnl.analysis.published.published`

    Returns
    -------
    Columns dataset, backbone, accuracy and published (percent), difference (points, ours minus
    theirs; NaN where nothing is published), verdict
    """
    rows = beside(runs, numbers, TABLE).rename(columns={"published_mean": "published"})
    difference = rows.accuracy - rows.published
    verdict = (difference.abs() > TOLERANCE).map({True: OFF, False: AGREES})
    rows = rows.assign(difference=difference, verdict=verdict.mask(rows.published.isna(), UNKNOWN))
    return rows[["dataset", "backbone", "accuracy", "published", "difference", "verdict"]]


def warnings(compared: pd.DataFrame) -> list[str]:
    """A sentence for each accuracy that is off, of the rows of `against_published`."""
    return [
        f"zero-shot accuracy of {row.backbone} on {row.dataset} is {row.accuracy:.2f} %, "
        f"{abs(row.difference):.2f} points {'above' if row.difference > 0 else 'below'} "
        f"the {row.published:.2f} % of {SOURCE}"
        for row in rows_of(compared[compared.verdict == OFF])
    ]


def markdown(compared: pd.DataFrame, study: str, protocol: str) -> str:
    """The rows of `against_published` as GitHub's Markdown, warnings first."""
    if (compared.verdict == UNKNOWN).all():
        return _unpublished(compared, study, protocol)
    parts = [f"**Warning:** {sentence}. {CAUSES}" for sentence in warnings(compared)]
    parts.append(
        "**Zero-shot accuracy** (%) on the test images beside what is published "
        f"({SOURCE}), study {study!r}, protocol {protocol!r}. More than {TOLERANCE} points apart "
        "is a sign of wrong data."
    )
    rows = []
    for row in rows_of(compared):
        known = row.verdict != UNKNOWN
        numbers = (f"{row.published:.2f}", f"{row.difference:+.2f}") if known else ("–", "–")
        ours = (title_of(row.dataset), row.backbone, f"{row.accuracy:.2f}")
        rows.append((*ours, *numbers, row.verdict))
    heads = ["Data set", "Backbone", "Here", "Published", "Difference", "Verdict"]
    parts.append(markdown_table(heads, rows, "llrrrl"))
    return "\n\n".join(parts) + "\n"


def _unpublished(compared: pd.DataFrame, study: str, protocol: str) -> str:
    """Zero-shot accuracies of data sets and backbones that nobody has published any for."""
    rows = [
        (title_of(row.dataset), row.backbone, f"{row.accuracy:.2f}") for row in rows_of(compared)
    ]
    table = markdown_table(["Data set", "Backbone", "Accuracy"], rows, "llr")
    return (
        f"**Zero-shot accuracy** (%) on the test images, study {study!r}, protocol {protocol!r}. "
        f"Nothing is published to compare it with.\n\n{table}\n"
    )
