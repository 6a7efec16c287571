"""Write a data set's manifest: every image with its label, class name and split."""

import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from ptnl.cli.entry import parser, start
from ptnl.data import dataset_of, expected_sizes
from ptnl.data.splits import check_manifest
from ptnl.errors import InputError
from ptnl.io import read_json, write_parquet
from ptnl.provenance import made_by
from ptnl.schemas import MANIFEST


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--dataset", required=True)
    arguments.add_argument(
        "--options", type=json.loads, default={}, help="JSON, as in dataset_options of the config"
    )
    arguments.add_argument("--receipt", type=Path, required=True, help="of download_dataset")
    arguments.add_argument("--out", type=Path, required=True, help="manifest (Parquet)")
    arguments.add_argument(
        "--on-bad-image",
        choices=("stop", "skip"),
        default="stop",
        help="skip decodes every image and leaves out those that cannot be; stop leaves it to "
        "encode_images to find one and to end there",
    )
    arguments.add_argument("--threads", type=int, default=1, help="that decode images")
    args = arguments.parse_args(argv)

    receipt = read_json(args.receipt)
    if receipt.get("options", {}) != args.options:
        raise InputError(f"{args.receipt}: made with other options; delete it to start anew")
    dataset = dataset_of(args.dataset, args.options)
    images = args.receipt.parent / "images"
    index = import_module(f"ptnl.data.{dataset.module}").index
    try:
        manifest = index(args.dataset, images, args.options)
        check_manifest(manifest, expected_sizes(dataset, args.options))
    except InputError as error:
        raise InputError(f"{args.dataset}: {error}") from error
    absent = [image for image in manifest.image if not (images / image).is_file()]
    if absent:
        raise InputError(
            f"{images / absent[0]}: missing, as are {len(absent) - 1} other images; delete "
            f"{args.receipt} to fetch them again"
        )
    skipped = []
    if args.on_bad_image == "skip":
        # Not at the top: it brings torch, which a manifest does without.
        from ptnl.features.images import unreadable

        faults = unreadable([images / image for image in manifest.image], args.threads)
        for fault in filter(None, faults):
            print(f"skipped {fault}", file=sys.stderr)
        is_bad = [fault is not None for fault in faults]
        skipped = manifest.image[is_bad].tolist()
        manifest = manifest.drop(manifest.index[is_bad])
    metadata = made_by("pandas", "pyarrow", dataset=args.dataset, receipt=receipt, skipped=skipped)
    write_parquet(manifest, args.out, MANIFEST, metadata)


if __name__ == "__main__":
    start(main)
