"""Caltech-101 (Fei-Fei et al. 2004), 100 classes as in CoOp, four of them renamed."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ptnl.data.archives import Archives, is_coop, unpack
from ptnl.data.splits import class_folders, half_fifth_rest, read_split
from ptnl.errors import InputError

ARCHIVE = "caltech-101.zip"  # which holds, beside annotations, the archive of the images
INNER = "caltech-101/101_ObjectCategories.tar.gz"
SPLIT = "split_zhou_Caltech101.json"
PICTURES = "101_ObjectCategories"
LEFT_OUT = {"BACKGROUND_Google", "Faces_easy"}  # no class, and the class Faces again
RENAMED = {
    "airplanes": "airplane",
    "Faces": "face",
    "Leopards": "leopard",
    "Motorbikes": "motorbike",
}


def download(dataset: str, images: Path, options: Mapping[str, Any], archives: Archives) -> dict:
    """Unpack the archive in the archive, and CoOp's split beside it (see `ptnl.data.dtd`)."""
    outer = images / "outer"
    archives.unpack(ARCHIVE, outer)
    if not (outer / INNER).is_file():
        raise InputError(f"{ARCHIVE}: holds no {INNER}")
    unpack(outer / INNER, images)
    shutil.rmtree(outer)
    archives.split(SPLIT, images, options)
    return {}


def index(dataset: str, images: Path, options: Mapping[str, Any]) -> pd.DataFrame:
    """The manifest; labels are the folders that stay in, in order of name, upper case first."""
    if is_coop(options):
        return read_split(images / SPLIT, PICTURES)
    folders = [f for f in class_folders(images, PICTURES) if f[0] not in LEFT_OUT]
    return half_fifth_rest(
        (label, RENAMED.get(name, name), paths) for label, (name, paths) in enumerate(folders)
    )
