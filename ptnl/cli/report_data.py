"""Tabulate the data sets of a study: classes, images of each split, images that were skipped."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.analysis.data_report import data_table, markdown
from ptnl.cli.entry import add_statement, parser, start
from ptnl.io import read_metadata, read_parquet, write_text
from ptnl.schemas import MANIFEST


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--manifests", type=Path, nargs="+", required=True)
    add_statement(arguments)
    args = arguments.parse_args(argv)

    made = {path: read_metadata(path) for path in args.manifests}
    names = {path: made[path]["settings"]["dataset"] for path in args.manifests}
    skipped = {names[path]: made[path]["settings"]["skipped"] for path in args.manifests}
    manifests = {names[path]: read_parquet(path, MANIFEST) for path in args.manifests}
    table = data_table(manifests, skipped)
    write_text(table.to_csv(index=False), args.csv)
    write_text(markdown(table, skipped, args.study), args.markdown)


if __name__ == "__main__":
    start(main)
