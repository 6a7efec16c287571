"""Find labels that look wrong in a folder of images; apply or export the decisions of a review."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.cli.entry import add_session, parser, session_of, start
from ptnl.errors import InputError
from ptnl.own.audit import REVIEW, REVIEWED, audit, labels_table, read_audit, summary, write_csv
from ptnl.own.decisions import corrected, counted, read_decisions
from ptnl.own.exchange import FORMATS, export
from ptnl.own.names import DEFAULT_TEMPLATE

CORRECTED = "labels.corrected.csv"


def apply(decisions: Path, folder: Path) -> None:
    """Write corrected labels to the audit's folder; the file with the labels is not changed."""
    report, labels, _ = read_audit(folder)
    decided = read_decisions(decisions, labels, report["classes"])
    after = corrected(labels, decided)
    write_csv(labels_table(after), folder / CORRECTED)
    changed = sum(after.get(image) != label for image, label in labels.items())
    print(f"{len(decided)} decisions: {counted(decided)}")
    print(f"{folder / CORRECTED}: {len(after)} labels, {changed} changed or dropped")


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument(
        "images", type=Path, metavar="IMAGES", nargs="?", help="folder of images, at any depth"
    )
    arguments.add_argument(
        "--labels", help="CSV or Parquet with the columns image and label, or the word folders"
    )
    arguments.add_argument("-o", "--out", type=Path, required=True, help="folder of the audit")
    arguments.add_argument(
        "--classes",
        type=Path,
        help="text file with one class per line, or CSV with the columns class and prompt",
    )
    arguments.add_argument(
        "--template", default=DEFAULT_TEMPLATE, help="prompt, in which {} stands for the class name"
    )
    arguments.add_argument(
        "--review", type=int, default=REVIEWED, help="how many labels the review page shows"
    )
    arguments.add_argument(
        "--apply",
        type=Path,
        metavar="DECISIONS",
        help="decisions.csv from the review page: write labels.corrected.csv",
    )
    arguments.add_argument(
        "--export",
        choices=FORMATS,
        help="write the labels in this format, corrected if they were corrected",
    )
    add_session(arguments)
    args = arguments.parse_args(argv)

    if args.images is not None:
        if args.labels is None:
            raise InputError("--labels: missing; give the labels to audit")
        found = audit(
            args.images,
            args.labels,
            args.out,
            args.classes,
            args.template,
            args.review,
            session_of(args),
        )
        print(summary(found.report, found.findings))
        print(f"audit: {args.out}; look at {args.out / REVIEW}")
    elif not (args.apply or args.export):
        raise InputError("IMAGES: missing; give a folder to audit, or --apply or --export")
    if args.apply:
        apply(args.apply, args.out)
    if args.export:
        print(export(args.export, args.out, args.out / CORRECTED))


if __name__ == "__main__":
    start(main)
