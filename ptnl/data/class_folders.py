"""Data sets that come as one folder of images per class, split as in CoOp.

Every data set's module has the two functions below: `download` makes a folder as CoOp lays it out,
and `index` reads it. So a copy that the user already has can be used as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ptnl.data.archives import Archives, is_coop, unpack
from ptnl.data.splits import class_folders, half_fifth_rest, read_split
from ptnl.errors import InputError
from ptnl.fetch.ownership import discard


@dataclass(frozen=True)
class Layout:
    """Where to find the parts of a data set."""

    archive: str
    split: str  # CoOp's split file
    pictures: str  # the folder of class folders after unpacking
    top: str = "."  # the folder in the archive to unpack
    inner: str = ""  # an archive below `top` that holds the images
    left_out: frozenset[str] = frozenset()  # folders that are not classes
    # Folder -> class name, where they differ.
    names: Mapping[str, str] = field(default_factory=dict)


LAYOUTS = {
    # Fei-Fei et al. 2004: 100 classes as in CoOp. Faces_easy holds the images of Faces again.
    "caltech101": Layout(
        "caltech-101.zip",
        "split_zhou_Caltech101.json",
        "101_ObjectCategories",
        inner="caltech-101/101_ObjectCategories.tar.gz",
        left_out=frozenset({"BACKGROUND_Google", "Faces_easy"}),
        names={
            "airplanes": "airplane",
            "Faces": "face",
            "Leopards": "leopard",
            "Motorbikes": "motorbike",
        },
    ),
    # Bossard et al. 2014: CoOp splits all 101,000 images anew and ignores the official split.
    "food101": Layout("food-101.tar.gz", "split_zhou_Food101.json", "images", top="food-101"),
    # Cimpoi et al. 2014: CoOp ignores the official folds.
    "dtd": Layout("dtd-r1.0.1.tar.gz", "split_zhou_DescribableTextures.json", "images", top="dtd"),
}


def download(
    dataset: str, images: Path, options: Mapping[str, Any], archives: Archives
) -> dict[str, Any]:
    """Put what `index` needs below the new folder `images`, laid out as in CoOp.

    Parameters
    ----------
    dataset : name of the data set
    images : the new folder, which is later moved to its place
    options : what the config's `dataset_options` holds for the data set
    archives : fetches files of the source table

    Returns
    -------
    What the receipt should say in addition to the options and the fetched files.
    """
    layout = LAYOUTS[dataset]
    if layout.inner:
        outer = images / "outer"
        archives.unpack(layout.archive, outer, layout.top)
        if not (outer / layout.inner).is_file():
            raise InputError(f"{layout.archive}: holds no {layout.inner}")
        unpack(outer / layout.inner, images)
        discard(outer)
    else:
        archives.unpack(layout.archive, images, layout.top)
    archives.split(layout.split, images, options)
    return {}


def index(dataset: str, images: Path, options: Mapping[str, Any]) -> pd.DataFrame:
    """The manifest (`ptnl.schemas.MANIFEST`) of the folder `images` that `download` made.

    Without CoOp's split, labels follow the names of the folders, upper case first.
    """
    layout = LAYOUTS[dataset]
    if is_coop(options):
        return read_split(images / layout.split, layout.pictures)
    folders = [f for f in class_folders(images, layout.pictures) if f[0] not in layout.left_out]
    return half_fifth_rest(
        (label, layout.names.get(name, name), paths) for label, (name, paths) in enumerate(folders)
    )
