"""Oxford 102 Flower (Nilsback and Zisserman 2008), split as in CoOp, not by its `setid.mat`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ptnl.data.archives import Archives, is_coop
from ptnl.data.splits import half_fifth_rest, read_split
from ptnl.errors import InputError
from ptnl.io import read_json

ARCHIVE = "102flowers.tgz"
LABELS, NAMES = "imagelabels.mat", "cat_to_name.json"
SPLIT = "split_zhou_OxfordFlowers.json"
PICTURES = "jpg"


def download(
    dataset: str, images: Path, options: Mapping[str, Any], archives: Archives
) -> dict[str, Any]:
    """Unpack the images, and put CoOp's split, or labels and names, beside them.

    See `ptnl.data.class_folders`.
    """
    archives.unpack(ARCHIVE, images)
    if not is_coop(options):
        archives.place(LABELS, images)
        archives.place(NAMES, images)
    archives.split(SPLIT, images, options)
    return {}


def index(dataset: str, images: Path, options: Mapping[str, Any]) -> pd.DataFrame:
    """The manifest; classes are in the order of first appearance in `imagelabels.mat`."""
    if is_coop(options):
        return read_split(images / SPLIT, PICTURES)
    names = read_json(images / NAMES)
    by_class: dict[int, list[str]] = {}
    for number, label in enumerate(_labels(images / LABELS), start=1):
        by_class.setdefault(label, []).append(f"{PICTURES}/image_{number:05d}.jpg")
    unnamed = sorted(label for label in by_class if str(label) not in names)
    if unnamed:
        raise InputError(f"{images / NAMES}: has no name for class {unnamed[0]}")
    return half_fifth_rest(
        (label - 1, names[str(label)], paths) for label, paths in by_class.items()
    )


def _labels(path: Path) -> list[int]:
    """The class (from 1) of every image, in the order of their numbers."""
    from scipy.io import loadmat  # slow to import, and only needed for this split

    try:
        return [int(label) for label in loadmat(path)["labels"][0]]
    except Exception as error:  # scipy may raise any exception on a damaged file
        raise InputError(f"{path}: not the labels of the flowers ({error})") from error
