"""A folder of the user's: one folder of images per class, in splits or to be split."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ptnl.data.archives import Archives
from ptnl.data.splits import SPLITS, half_fifth_rest, manifest_of
from ptnl.errors import InputError

# What counts as an image; other files are passed over.
SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def download(dataset: str, images: Path, options: Mapping[str, Any], archives: Archives) -> dict:
    """Link to the folder: nothing is copied (see `ptnl.data.class_folders`)."""
    return link(Path(options["folder"]), images)


def link(folder: Path, images: Path) -> dict:
    """Make `images` a link to the user's folder."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    if images.resolve().is_relative_to(folder.resolve()):
        raise InputError(f"{images.parent}: is the study's own place for it; give another folder")
    images.symlink_to(folder.resolve())
    return {"folder": str(folder.resolve())}


def index(dataset: str, images: Path, options: Mapping[str, Any]) -> pd.DataFrame:
    """The manifest; labels are the folders' names in order.

    Where the folders are train, test and perhaps val, the classes' folders lie in them; otherwise
    every class is split at random, 50 % train, 20 % val, 30 % test.
    """
    top = _folders(images)
    if {"train", "test"} <= set(top) <= set(SPLITS):
        return _given_splits(images, top)
    if set(top) <= set(SPLITS):
        raise InputError(f"{options['folder']}: holds no class folders, nor train and test")
    return half_fifth_rest(
        (label, name, _images(images, images / name)) for label, name in enumerate(top)
    )


def _given_splits(images: Path, splits: list[str]) -> pd.DataFrame:
    names = sorted({name for split in splits for name in _folders(images / split)})
    return manifest_of(
        {
            split: [
                (image, label, name)
                for label, name in enumerate(names)
                for image in _images(images, images / split / name)
            ]
            for split in splits
        }
    )


def _folders(folder: Path) -> list[str]:
    """Names of the folders in a folder that holds no image itself: that would have no class."""
    stray = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES]
    if stray:
        raise InputError(f"{stray[0]}: lies in no class's folder")
    return sorted(
        path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )


def _images(images: Path, folder: Path) -> list[str]:
    """Images at any depth below a folder, by name, as paths below `images`."""
    return sorted(
        path.relative_to(images).as_posix()
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
    )
