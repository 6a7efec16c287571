"""A user's folder with one folder of images per class, with or without splits."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ptnl.data.class_names import ordered
from ptnl.data.equal_images import equal_groups, report_equal, split_at_random
from ptnl.data.folder_tree import Tree, folders, loose, scan
from ptnl.data.notes import examples, note
from ptnl.data.splits import SPLIT_WORDS, SPLITS, manifest_of
from ptnl.data.table_files import read_table
from ptnl.errors import InputError


def index(dataset: str, images: Path, options: Mapping[str, Any]) -> pd.DataFrame:
    """The manifest; labels follow the names of class folders, by value if all are numbers.

    If the folders are those of splits, class folders lie in them. Otherwise every class is split
    at random: 50 % train, 20 % val, 30 % test; equal images stay together. A note lists what was
    skipped.
    """
    root = Path(options["folder"])
    _refuse_stray(root, images, ".")
    top = folders(images)
    splits = split_folders(root, {name: bool(folders(images / name)) for name in top})
    for folder in splits.values():
        _refuse_stray(root, images, folder)
    places = list(splits.values()) or ["."]
    listed = {place: folders(images / place) for place in places}
    names = ordered(name for place in places for name in listed[place])
    if len(names) < 2:
        raise InputError(f"{root}: holds {_classes(names)}{_did_you_mean(root)}")
    class_names = _class_names(names, options)
    trees = {
        (place, name): scan(images, name if place == "." else f"{place}/{name}")
        for place in places
        for name in listed[place]
    }
    beside = [loose(images, place) for place in {".", *places}]
    _note_passed_over(dataset, [*beside, *trees.values()])
    classes = [
        (place, label, class_names[name], trees.get((place, name), Tree()).images)
        for place in places
        for label, name in enumerate(names)
    ]
    groups = equal_groups(images, (image for *_, its_images in classes for image in its_images))
    if splits:
        split_of = {folder: split for split, folder in splits.items()}
        manifest = manifest_of(
            {
                split_of[place]: [
                    (image, label, name)
                    for where, label, name, its_images in classes
                    if where == place
                    for image in its_images
                ]
                for place in places
            }
        )
    else:
        manifest = split_at_random([each[1:] for each in classes], groups)
    report_equal(manifest, groups)
    return manifest


def split_folders(root: Path, top: Mapping[str, bool]) -> dict[str, str]:
    """Split -> folder, if the folders of `root` are those of splits; otherwise empty.

    They are taken for splits if train and test are both there, or if there are no other folders, or
    if class folders lie in one of them. Otherwise a class may be called train.

    top : folder -> whether it holds folders
    """
    named = {name: SPLIT_WORDS[name.lower()] for name in top if name.lower() in SPLIT_WORDS}
    others = [name for name in top if name not in named]
    both = {"train", "test"} <= set(named.values())
    if not named or not (both or not others or any(top[name] for name in named)):
        return {}
    if others:
        raise InputError(
            f"{root / others[0]}: lies beside folders of splits ({', '.join(named)}); move it "
            "elsewhere"
        )
    splits: dict[str, str] = {}
    for name, split in named.items():
        if split in splits:
            raise InputError(f"{root}: {splits[split]} and {name} are both folders of {split}")
        splits[split] = name
    missing = [split for split in ("train", "test") if split not in splits]
    if missing:
        first = next(iter(named))
        raise InputError(
            f"{root}: holds {' and '.join(named)}, but no folder {missing[0]}; add one, or "
            f"split the images in {first} at random: give {root / first} as the folder"
        )
    return {split: splits[split] for split in SPLITS if split in splits}


def _refuse_stray(root: Path, images: Path, place: str) -> None:
    stray = loose(images, place).images
    if stray:
        raise InputError(f"{root / stray[0]}: lies in no class folder")


def _classes(names: list[str]) -> str:
    return f"only one class, {names[0]!r}" if names else "no class folders"


def _did_you_mean(root: Path) -> str:
    """A guess at the folder that the user meant: the first below `root` with several folders."""
    folder = root
    while len(below := folders(folder)) == 1:
        folder = folder / below[0]
    return f"; did you mean {folder}?" if below and folder != root else ""


def _class_names(names: list[str], options: Mapping[str, Any]) -> dict[str, str]:
    """Folder -> class name, from the table `names` if there is one; otherwise the folder's name."""
    if "names" not in options:
        return {name: name for name in names}
    path = Path(options["names"])
    table = read_table(path, {"folder": ("folder",), "class_name": ("class_name",)})
    if not ("folder" in table and "class_name" in table):
        raise InputError(f"{path}: needs the columns folder and class_name")
    given: dict[str, str] = {}
    row_of: dict[str, int] = {}
    for row, folder, class_name in zip(
        table.rows, table.text("folder"), table.text("class_name"), strict=True
    ):
        if folder in given:
            raise InputError(f"{path}: rows {row_of[folder]} and {row} both name {folder!r}")
        given[folder], row_of[folder] = class_name, row
    unnamed = [name for name in names if name not in given]
    if unnamed:
        raise InputError(f"{path}: has no name for the folder {unnamed[0]!r}")
    unknown = [name for name in given if name not in names]
    if unknown:
        raise InputError(f"{path}: names a folder {unknown[0]!r} that is not there")
    return given


def _note_passed_over(dataset: str, trees: Iterable[Tree]) -> None:
    """Print a note on how many files were skipped, and which."""
    passed_over: dict[str, list[str]] = {}
    for tree in trees:
        for what, paths in tree.passed_over.items():
            passed_over.setdefault(what, []).extend(paths)
    for what, paths in sorted(passed_over.items()):
        note(f"{dataset}: {len(paths):,} {what} skipped ({examples(paths)})")
