"""Write the manifest of a data set: every image with its label, class name and split."""

import json
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pandas as pd

from ptnl.cli.entry import add_background, parser, start
from ptnl.data import DATASETS, dataset_of, expected_sizes, image_options
from ptnl.data.class_names import check_names, wordless
from ptnl.data.notes import counted, examples, note
from ptnl.data.splits import check_manifest, check_train_images
from ptnl.errors import InputError
from ptnl.io import read_json, write_parquet
from ptnl.provenance import made_by
from ptnl.schemas import MANIFEST


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--dataset", required=True)
    arguments.add_argument(
        "--options",
        type=json.loads,
        default={},
        help="options of the data set, as in dataset_options of the config (JSON)",
    )
    arguments.add_argument(
        "--receipt",
        type=Path,
        required=True,
        help="receipt that download_dataset wrote; the images lie beside it",
    )
    arguments.add_argument("--out", type=Path, required=True, help="manifest (Parquet)")
    arguments.add_argument(
        "--on-bad-image",
        choices=("stop", "skip"),
        default="stop",
        help="skip: decode every image now, and leave out unreadable ones; "
        "stop: let encode_images stop at the first unreadable one",
    )
    arguments.add_argument("--threads", type=int, default=1, help="threads that decode images")
    add_background(arguments)
    args = arguments.parse_args(argv)

    receipt = read_json(args.receipt, sealed=True)
    if receipt.get("options", {}) != image_options(args.options):
        raise InputError(f"{args.receipt}: made with other options; run download_dataset again")
    dataset = dataset_of(args.dataset, args.options)
    images = args.receipt.parent / "images"
    index = import_module(f"ptnl.data.{dataset.module}").index
    try:
        manifest = index(args.dataset, images, args.options)
        check_manifest(manifest, expected_sizes(dataset, args.options))
        if args.dataset not in DATASETS:
            check_names(manifest.groupby("label").class_name.first().tolist())
    except InputError as error:
        raise InputError(f"{args.dataset}: {error}") from error
    absent = [image for image in manifest.image if not (images / image).is_file()]
    if absent:
        raise InputError(_absence(args.dataset, images / absent[0], len(absent) - 1))
    if args.dataset not in DATASETS:
        describe(args.dataset, manifest, images, args.transparent_on, args.threads)
    skipped = []
    if args.on_bad_image == "skip":
        # Imported here because it imports torch, which is not needed otherwise.
        from ptnl.features.images import unreadable

        faults = unreadable([images / image for image in manifest.image], args.threads)
        for fault in filter(None, faults):
            print(f"skipped {fault}", file=sys.stderr)
        is_bad = [fault is not None for fault in faults]
        skipped = manifest.image[is_bad].tolist()
        manifest = manifest.drop(manifest.index[is_bad])
        check_left(args.dataset, manifest, skipped)
    metadata = made_by("pandas", "pyarrow", dataset=args.dataset, receipt=receipt, skipped=skipped)
    write_parquet(manifest, args.out, MANIFEST, metadata)


def describe(
    dataset: str, manifest: pd.DataFrame, images: Path, background: str, threads: int
) -> None:
    """Note what is special about a user's data set: class names without words, odd images."""
    # Imported here because it imports torch.
    from ptnl.features.decoding import peculiarities
    from ptnl.features.images import computed_ahead

    without_words = wordless(manifest.class_name.unique())
    if without_words:
        note(
            f"{dataset}: class names such as {examples(without_words)} carry no words for the "
            f"prompt; give them some (a folder: dataset_options.{dataset}.names)"
        )
    found: dict[str, list[str]] = {}
    each = computed_ahead(
        lambda image: peculiarities(images / image, background), manifest.image, threads, 64
    )
    for image, its_own in zip(manifest.image, each, strict=True):
        for what in its_own:
            found.setdefault(what, []).append(image)
    for what, those in sorted(found.items()):
        note(f"{dataset}: {counted(len(those), 'image')} with {what} ({examples(those)})")


def check_left(dataset: str, manifest: pd.DataFrame, skipped: Sequence[str]) -> None:
    """Refuse a data set if skipped images leave a split, or a class in train, without images."""
    if not skipped:
        return
    try:
        for split in ("train", "test"):
            if not (manifest.split == split).any():
                raise InputError(f"all {split} images were skipped as unreadable")
        check_train_images(manifest, ": the others were skipped as unreadable")
    except InputError as error:
        raise InputError(f"{dataset}: {error}") from error


def _absence(dataset: str, image: Path, others: int) -> str:
    """The message for an image that is missing."""
    rest = f", as are {counted(others, 'other image')}" if others else ""
    if image.is_symlink():
        return f"{image.resolve()}: missing{rest}; the link {image} leads there"
    return (
        f"{image}: missing{rest}; after `ptnl data refresh {dataset}`, the next run gets it again"
    )


if __name__ == "__main__":
    start(main)
