"""Audit the labels of a folder of images, and write a folder of findings with a review page."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ptnl.errors import InputError
from ptnl.io import atomic_path, read_json, write_json, write_text
from ptnl.own.encode import Images
from ptnl.own.findings import Findings, findings
from ptnl.own.inputs import (
    UNLABELLED,
    classes_of,
    label_numbers,
    list_images,
    read_labels,
)
from ptnl.own.label_scores import LabelScores, score_labels
from ptnl.own.names import DEFAULT_TEMPLATE, Classes, check_template, read_classes, read_table
from ptnl.own.output import KIND, claim, require_ours
from ptnl.own.review import review_page
from ptnl.own.session import Session
from ptnl.provenance import fingerprint, made_by
from ptnl.schemas import rows_of

MARK, MARKED_AS = "audit.json", "ptnl audit"
LABELS, SUMMARY, REVIEW = "labels.csv", "summary.md", "review.html"
REVIEWED = 1000  # labels on the review page
FEWEST_LABELS = 20  # with fewer, there is too little to judge a label by


@dataclass(frozen=True)
class Audit:
    """The result of an audit."""

    findings: Findings
    report: dict[str, Any]


def audit(
    images: str | Path,
    labels: str | Path,
    out: str | Path | None = None,
    classes: str | Path | None = None,
    template: str = DEFAULT_TEMPLATE,
    review: int = REVIEWED,
    session: Session | None = None,
) -> Audit:
    """Find the labels that look wrong.

    Parameters
    ----------
    images : folder of images, which may be in subfolders
    labels : table of image and label, or "folders"
    out : folder for the findings; without it, nothing is written
    classes : file of class names; without it, the classes are those that the labels name
    template : hand-crafted prompt, with {} for the class
    review : how many labels, the most doubtful ones, are on the review page
    session : backbone, device, threads and cache

    Raises
    ------
    InputError
        Something in the input is wrong; the sentence says what.
    """
    session, folder, source = session or Session(), Path(images), str(labels)
    check_template(template)
    if review < 1:
        raise InputError(f"--review {review}: give one or more")
    found = list_images(folder)
    given = read_labels(source, folder, found)
    named = read_classes(Path(classes)) if classes else classes_of(given, source)
    label_numbers(given, found, named, source)
    if len(given) < FEWEST_LABELS:
        raise InputError(
            f"{source}: {len(given)} labels are too few for an audit, which judges each label by "
            f"the others; give {FEWEST_LABELS} or more"
        )
    target = claim(Path(out), MARK, MARKED_AS, folder) if out else None
    encoded = session.read(folder)
    readable = set(encoded.names)
    numbers = label_numbers(
        {image: label for image, label in given.items() if image in readable},
        encoded.names,
        named,
        source,
    )
    rows = np.flatnonzero(numbers != UNLABELLED)
    backbone = session.text()
    features = torch.from_numpy(encoded.features[rows]).to(backbone.device)
    scores = score_labels(backbone, named, template, features, numbers[rows])
    tables = findings(encoded, rows, numbers[rows], named.names, scores, session.input_size)
    report = report_of(encoded, given, named, scores, tables, session, template)
    result = Audit(tables, report)
    if target is not None:
        page = review_page(
            encoded, rows, numbers[rows], named.names, tables.ranking, report, review
        )
        write_audit(result, given, target, folder, page)
    return result


def report_of(
    images: Images,
    labels: dict[str, str],
    classes: Classes,
    scores: LabelScores,
    tables: Findings,
    session: Session,
    template: str,
) -> dict[str, Any]:
    """What the summary says of an audit, in a form that JSON can hold."""
    made = made_by("torch", "torchvision", "open_clip_torch", template=template)
    readable = set(images.names)
    labelled = set(labels.values())
    unlabelled = [name for name in classes.names if name not in labelled]
    return {
        "id": fingerprint(sorted(labels.items()), session.files.sha256, made),
        "images": len(images.names),
        "labels": len(tables.ranking),
        "classes": classes.names,
        "classes_without_labels": unlabelled,
        "noise": {
            **asdict(scores.noise),
            "rate": scores.noise.rate,
            "interval": scores.rate_interval,
        },
        "likely_wrong": int((tables.ranking.probability_wrong > 0.5).sum()),
        "disagreeing_duplicates": int(tables.ranking.duplicate_disagrees.sum()),
        "unreadable": images.unreadable,
        "unreadable_labels": sum(image not in readable for image in labels),
        "backbone": session.files.name,
        "made_by": made,
    }


def summary(report: dict[str, Any], tables: Findings) -> str:
    """The text that `ptnl audit` prints at its end, and writes to `summary.md`."""
    rate, (low, high) = report["noise"]["rate"], report["noise"]["interval"]
    first = round(rate * report["labels"]) or 1
    found = tables.ranking.probability_wrong.head(first).sum()
    lines = [
        f"{report['labels']} labels of {report['images']} images, {len(report['classes'])} classes",
        f"wrong labels, estimated: {100 * rate:.1f} % (95 % interval {100 * low:.1f} to "
        f"{100 * high:.1f}), {100 * report['noise']['uniform']:.1f} % at random and "
        f"{100 * report['noise']['confused']:.1f} % to a class that the image resembles",
        f"more likely wrong than right: {report['likely_wrong']} labels",
        f"looking at the first {first} should find {found:.0f} wrong ones (`effort.csv` has more)",
        f"equal or nearly equal images with different labels: {report['disagreeing_duplicates']} "
        "(they come first: at least one label of each group is wrong)",
    ]
    kinds = tables.looks.what.value_counts()
    if len(kinds):
        lines.append(", ".join(f"{count} {what} images" for what, count in kinds.items()))
    if report["classes_without_labels"]:
        lines.append(f"warning: no label names {', '.join(report['classes_without_labels'][:5])}")
    if report["unreadable"]:
        lines.append(f"warning: {len(report['unreadable'])} images could not be read:")
        lines += [f"  {why}" for why in report["unreadable"].values()]
    for row in rows_of(tables.transitions.head(5)):
        lines.append(
            f"{row.true_class} labelled {row.given_label}: {row.images:.0f} images, "
            f"{100 * row.share:.0f} % of the class ({100 * row.low:.0f} to {100 * row.high:.0f})"
        )
    return "\n".join(lines)


def write_audit(
    result: Audit, labels: dict[str, str], folder: Path, images: Path, page: str
) -> None:
    """Write an audit's folder.

    The mark is written first, so that a half-written folder is known as ours and may be written
    again. It is written once more at the end, with the report.
    """
    write_json({KIND: MARKED_AS}, folder / MARK)
    tables = {**vars(result.findings), "labels": labels_table(labels)}
    for name, table in tables.items():
        write_csv(table, folder / f"{name}.csv")
    write_text(f"{summary(result.report, result.findings)}\n", folder / SUMMARY, replaces=True)
    write_text(page, folder / REVIEW, replaces=True)
    mark = {KIND: MARKED_AS, "folder": str(images.resolve()), **result.report}
    write_json(mark, folder / MARK)


def read_audit(folder: Path) -> tuple[dict[str, Any], dict[str, str], pd.DataFrame]:
    """The report, the labels as they were given, and the ranking of an audit's folder."""
    require_ours(folder, MARK, MARKED_AS, "ptnl audit")
    report = read_json(folder / MARK)
    if "id" not in report:
        raise InputError(f"{folder}: is half-written; run `ptnl audit ... -o {folder}` again")
    labels = read_table(folder / LABELS)
    return (
        report,
        dict(zip(labels.image, labels.label, strict=True)),
        read_table(folder / "ranking.csv"),
    )


def labels_table(labels: dict[str, str]) -> pd.DataFrame:
    """Labels as a table, in the same order."""
    return pd.DataFrame({"image": list(labels), "label": list(labels.values())})


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV into one of our folders, whole or not at all."""
    with atomic_path(path, replaces=True) as temporary:
        table.to_csv(temporary, index=False)
