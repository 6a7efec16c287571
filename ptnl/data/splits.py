"""Splits: CoOp's published ones, and its rules for making them. Pure but for reading them.

A manifest is a frame with the columns of `ptnl.schemas.MANIFEST`: train, then val, then test, each
in the order of the split file, because the few-shot draw depends on it.
"""

import random
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from ptnl.data.notes import counted
from ptnl.errors import InputError
from ptnl.io import read_json
from ptnl.schemas import MANIFEST

SPLITS = ("train", "val", "test")
# What folders and tables call the splits, in lower case.
SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}

# CoOp's code seeds no random stream of its own and lists files in the disk's order. Ours starts at
# this seed and sorts files by name, so that a split can be made again.
SEED = 1

Row = tuple[str, int, str]  # image, label, class name


def manifest_of(splits: Mapping[str, Iterable[Row]]) -> pd.DataFrame:
    """The manifest of rows by split."""
    rows = [(*row, split) for split in SPLITS for row in splits.get(split, ())]
    return pd.DataFrame(rows, columns=list(MANIFEST))


def read_split(path: Path, folder: str) -> pd.DataFrame:
    """The manifest of a split as CoOp publishes them; its images lie below `folder`.

    The file is JSON: train, val and test, each a list of (image, label from 0, class name).
    """
    try:
        splits = {
            split: [(f"{folder}/{image}", int(label), name) for image, label, name in rows]
            for split, rows in read_json(path).items()
            if split in SPLITS
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a split (train, val, test of image, label, name)") from error
    if set(splits) != set(SPLITS):
        raise InputError(f"{path}: holds {', '.join(splits) or 'nothing'} of train, val and test")
    return manifest_of(splits)


def read_lines(path: Path) -> list[str]:
    """The lines of an official list, stripped, without empty ones."""
    try:
        lines = [line.strip() for line in path.read_bytes().decode().splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as text ({error})") from error
    return [line for line in lines if line]


def half_fifth_rest(classes: Iterable[tuple[int, str, list[str]]]) -> pd.DataFrame:
    """The manifest of 50 % train, 20 % val and 30 % test of every class, at random.

    CoOp's `DescribableTextures.read_and_split_data`: one stream, over the classes in their order.
    A class of two or three images, which CoOp's has none of, goes without val.

    classes : label, class name and images of each class
    """
    stream = random.Random(SEED)
    splits: dict[str, list[Row]] = {split: [] for split in SPLITS}
    for label, name, images in classes:
        shuffled = list(images)
        stream.shuffle(shuffled)
        train, val, _ = half_fifth_counts(name, len(images))
        parts = shuffled[:train], shuffled[train : train + val], shuffled[train + val :]
        for split, part in zip(SPLITS, parts, strict=True):
            splits[split] += [(image, label, name) for image in part]
    return manifest_of(splits)


def half_fifth_counts(name: str, images: int) -> tuple[int, int, int]:
    """Train, val and test images of a class by the rule of `half_fifth_rest`."""
    train = round(images * 0.5)
    if not train:
        raise InputError(
            f"class {name!r} has {counted(images, 'image')}, too few to split into train and test"
        )
    val = min(round(images * 0.2), images - train - 1)
    return train, val, images - train - val


def hold_out_fifth(trainval: Iterable[Row]) -> dict[str, list[Row]]:
    """`train` and `val`: 20 % of every class held out at random.

    CoOp's `OxfordPets.split_trainval`: one stream, over the classes as they first appear.
    """
    stream = random.Random(SEED)
    by_label: dict[int, list[Row]] = {}
    for row in trainval:
        by_label.setdefault(row[1], []).append(row)
    splits: dict[str, list[Row]] = {"train": [], "val": []}
    for rows in by_label.values():
        held_out = round(len(rows) * 0.2)
        if held_out == 0:
            raise InputError(
                f"class {rows[0][2]!r} has {counted(len(rows), 'image')}, too few to split"
            )
        stream.shuffle(rows)
        splits["val"] += rows[:held_out]
        splits["train"] += rows[held_out:]
    return splits


def class_folders(images: Path, folder: str) -> list[tuple[str, list[str]]]:
    """(name, images) of every folder of images below `images/folder`, both sorted by name.

    The images' paths start at `images`. Upper case sorts before lower case, as in CoOp.
    """
    root = images / folder
    if not root.is_dir():
        raise InputError(f"{root}: missing; `ptnl data refresh` has the next run unpack it again")
    folders = sorted(path for path in root.iterdir() if path.is_dir())
    return [
        (
            path.name,
            sorted(
                f"{folder}/{path.name}/{file.name}"
                for file in path.iterdir()
                if not file.name.startswith(".")
            ),
        )
        for path in folders
        if not path.name.startswith(".")
    ]


def check_manifest(manifest: pd.DataFrame, sizes: Mapping[str, int] | None) -> None:
    """Refuse a manifest that is not what it should be, in one sentence.

    Every image stands in it once, labels are 0 to C - 1 with one name each, every class has train
    images, and the splits have their `sizes` where these are known. Two labels may share a name:
    ImageNet has two missiles.
    """
    twice = manifest.image[manifest.image.duplicated()]
    if len(twice):
        raise InputError(f"{twice.iloc[0]}: in the data set more than once")
    names = manifest.groupby("label").class_name.unique()
    if list(names.index) != list(range(len(names))):
        raise InputError(f"labels are {_some(list(names.index))} instead of 0 to {len(names) - 1}")
    for label, several in names.items():
        if len(several) > 1:
            raise InputError(f"label {label} has several names: {', '.join(map(repr, several))}")
    found = {split: int((manifest.split == split).sum()) for split in SPLITS}
    for split in ("train", "test"):
        if not found[split]:
            raise InputError(f"there are no {split} images")
    check_train_images(manifest)
    wanted = {split: (sizes or found).get(split, 0) for split in SPLITS}
    if found != wanted:
        raise InputError(
            f"{_sizes(found)} found, {_sizes(wanted)} expected: not the data set that it should be"
            " (or, if it is meant to be another, state its sizes in dataset_options)"
        )


def check_train_images(manifest: pd.DataFrame, reason: str = "") -> None:
    """Refuse a manifest that has a class without train images, by name."""
    counts = manifest.groupby(["label", "class_name", "split"]).size().unstack(fill_value=0)
    without = counts[counts["train"] == 0] if "train" in counts else counts
    for name, row in without.droplevel("label").iterrows():
        rest = ", ".join(f"{number} {split}" for split, number in row.items() if number)
        raise InputError(f"class {name!r} has no train images, but {rest}{reason}")


def _some(labels: Iterable[int]) -> str:
    listed = [str(label) for label in labels]
    return ", ".join(listed[:5]) + (", ..." if len(listed) > 5 else "")


def _sizes(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{sizes[split]:,} {split}" for split in SPLITS)
