"""The data sets of the embedded study: drawings of open icon sets, one Parquet file each.

They ship in `ptnl/assets/`, and `workflow/assets/` builds them. Each image is stored with its icon
set, author and licence.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ptnl.backbones.assets import sha256, verified
from ptnl.data import DATASETS
from ptnl.data.archives import Archives
from ptnl.io import read_parquet, write_scratch
from ptnl.schemas import MANIFEST, Schema

IMAGES: Schema = {
    "image": "string",
    "label": "int64",
    "class_name": "string",
    "split": "string",
    "icon_set": "string",
    "author": "string",
    "license": "string",
    "png": "binary",
}


def _archive(dataset: str) -> Path:
    (asset,) = DATASETS[dataset].assets
    return verified(asset)


def download(
    dataset: str, images: Path, options: Mapping[str, Any], archives: Archives
) -> dict[str, Any]:
    """Unpack the images of `dataset` below the folder `images` (see `ptnl.data.class_folders`).

    Returns source, sha256 of the shipped file, number of images.
    """
    archive = _archive(dataset)
    table = read_parquet(archive, IMAGES)
    for name, png in zip(table.image, table.png, strict=True):
        write_scratch(png, images / f"{name}.png")
    return {
        "source": f"ptnl/assets/{archive.name}",
        "sha256": sha256(archive),
        "images": len(table),
    }


def index(dataset: str, images: Path, options: Mapping[str, Any]) -> pd.DataFrame:
    """The manifest (see `ptnl.schemas.MANIFEST`) in the order of the shipped file."""
    table = read_parquet(_archive(dataset), IMAGES)
    return table.assign(image=table.image + ".png")[list(MANIFEST)]
