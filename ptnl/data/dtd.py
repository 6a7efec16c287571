"""Describable Textures (Cimpoi et al. 2014), split as in CoOp: not along its official folds.

Every data set's module has these two functions. Between them lies a folder as CoOp lays it out, so
that one that the user has already will do.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ptnl.data.archives import Archives, is_coop
from ptnl.data.splits import class_folders, half_fifth_rest, read_split

ARCHIVE, TOP = "dtd-r1.0.1.tar.gz", "dtd"
SPLIT = "split_zhou_DescribableTextures.json"
PICTURES = "images"


def download(dataset: str, images: Path, options: Mapping[str, Any], archives: Archives) -> dict:
    """Put what `index` needs below the new folder `images`, laid out as in CoOp.

    Parameters
    ----------
    dataset : its name
    images : the folder, on the way to its place
    options : what the config's `dataset_options` holds for the data set
    archives : fetches files of the source table

    Returns
    -------
    What a receipt should say beside the options and the files that were fetched.
    """
    archives.unpack(ARCHIVE, images, TOP)
    archives.split(SPLIT, images, options)
    return {}


def index(dataset: str, images: Path, options: Mapping[str, Any]) -> pd.DataFrame:
    """The manifest (`ptnl.schemas.MANIFEST`) of what `download` left, paths below `images`."""
    if is_coop(options):
        return read_split(images / SPLIT, PICTURES)
    folders = class_folders(images, PICTURES)
    return half_fifth_rest((label, *folder) for label, folder in enumerate(folders))
