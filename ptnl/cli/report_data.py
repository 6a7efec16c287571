"""Tabulate the data sets of a study: images, skipped images, norms of their features."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ptnl.analysis import feature_norms
from ptnl.analysis.data_report import data_table, markdown
from ptnl.cli.entry import add_statement, parser, start
from ptnl.io import read_metadata, read_parquet, write_text
from ptnl.schemas import MANIFEST


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--manifests", type=Path, nargs="+", required=True)
    arguments.add_argument(
        "--features", type=Path, nargs="*", default=[], help="features of images (NPY)"
    )
    arguments.add_argument(
        "--encoded",
        nargs="*",
        default=[],
        help="DATASET/BACKBONE of each file of features, in the same order",
    )
    arguments.add_argument("--c", type=float, help="C of the study's linear probe, if it has one")
    arguments.add_argument("--norms", type=Path, required=True, help="norms of the features (CSV)")
    add_statement(arguments)
    args = arguments.parse_args(argv)

    made = {path: read_metadata(path) for path in args.manifests}
    names = {path: made[path]["settings"]["dataset"] for path in args.manifests}
    skipped = {names[path]: made[path]["settings"]["skipped"] for path in args.manifests}
    manifests = {names[path]: read_parquet(path, MANIFEST) for path in args.manifests}
    table = data_table(manifests, skipped)
    write_text(table.to_csv(index=False), args.csv)
    encoded = [tuple(name.split("/")) for name in args.encoded]
    features = {
        pair: np.load(path, mmap_mode="r", allow_pickle=False)
        for pair, path in zip(encoded, args.features, strict=True)
    }
    norms = feature_norms.norms_table(features, args.c)
    write_text(norms.to_csv(index=False), args.norms)
    pages = [markdown(table, skipped, args.study)]
    if encoded:
        pages.append(feature_norms.markdown(norms, args.c, args.study))
    write_text("\n".join(pages), args.markdown)


if __name__ == "__main__":
    start(main)
