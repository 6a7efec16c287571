"""Oxford-IIIT Pet (Parkhi et al. 2012), official test split; CoOp takes val from trainval."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ptnl.data.archives import Archives, is_coop
from ptnl.data.splits import Row, hold_out_fifth, manifest_of, read_lines, read_split
from ptnl.errors import InputError

SPLIT = "split_zhou_OxfordPets.json"
PICTURES = "images"


def download(
    dataset: str, images: Path, options: Mapping[str, Any], archives: Archives
) -> dict[str, Any]:
    """Unpack images, annotations and CoOp's split (see `ptnl.data.class_folders`)."""
    archives.unpack("images.tar.gz", images)
    archives.unpack("annotations.tar.gz", images)
    archives.split(SPLIT, images, options)
    return {}


def index(dataset: str, images: Path, options: Mapping[str, Any]) -> pd.DataFrame:
    """The manifest; the class name is the file's name without its number, in lower case."""
    if is_coop(options):
        return read_split(images / SPLIT, PICTURES)
    trainval = _listed(images / "annotations/trainval.txt")
    test = _listed(images / "annotations/test.txt")
    return manifest_of({**hold_out_fifth(trainval), "test": test})


def _listed(path: Path) -> list[Row]:
    """The images of an official list, whose lines are: image, class from 1, species, breed."""
    rows = []
    try:
        for line in read_lines(path):
            image, label, _, _ = line.split(" ")
            breed = image.rsplit("_", 1)[0].lower()
            rows.append((f"{PICTURES}/{image}.jpg", int(label) - 1, breed))
    except ValueError as error:
        raise InputError(f"{path}: not a list of images and classes ({error})") from error
    return rows
