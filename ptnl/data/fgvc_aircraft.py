"""FGVC-Aircraft 2013b (Maji et al. 2013): 100 variants, official train, val and test."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ptnl.data.archives import Archives
from ptnl.data.splits import SPLITS, Row, manifest_of, read_lines
from ptnl.errors import InputError

ARCHIVE, TOP = "fgvc-aircraft-2013b.tar.gz", "fgvc-aircraft-2013b/data"


def download(
    dataset: str, images: Path, options: Mapping[str, Any], archives: Archives
) -> dict[str, Any]:
    """Unpack the archive (see `ptnl.data.class_folders`)."""
    archives.unpack(ARCHIVE, images, TOP)
    return {}


def index(dataset: str, images: Path, options: Mapping[str, Any]) -> pd.DataFrame:
    """The manifest; labels follow the lines of `variants.txt`, names keep spaces and slashes."""
    labels = {name: label for label, name in enumerate(read_lines(images / "variants.txt"))}

    def listed(path: Path) -> list[Row]:
        """The images of an official list, whose lines are: number, variant."""
        rows = []
        for line in read_lines(path):
            number, _, variant = line.partition(" ")
            if variant not in labels:
                raise InputError(f"{path}: {variant!r} is not in variants.txt")
            rows.append((f"images/{number}.jpg", labels[variant], variant))
        return rows

    return manifest_of({split: listed(images / f"images_variant_{split}.txt") for split in SPLITS})
