"""Food-101 (Bossard et al. 2014), split as in CoOp: all 101,000 images, not the official split."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ptnl.data.archives import Archives, is_coop
from ptnl.data.splits import class_folders, half_fifth_rest, read_split

ARCHIVE, TOP = "food-101.tar.gz", "food-101"
SPLIT = "split_zhou_Food101.json"
PICTURES = "images"


def download(dataset: str, images: Path, options: Mapping[str, Any], archives: Archives) -> dict:
    """Unpack the archive, and CoOp's split beside it (see `ptnl.data.dtd`)."""
    archives.unpack(ARCHIVE, images, TOP)
    archives.split(SPLIT, images, options)
    return {}


def index(dataset: str, images: Path, options: Mapping[str, Any]) -> pd.DataFrame:
    """The manifest; labels are the folders in order of name."""
    if is_coop(options):
        return read_split(images / SPLIT, PICTURES)
    folders = class_folders(images, PICTURES)
    return half_fifth_rest((label, *folder) for label, folder in enumerate(folders))
