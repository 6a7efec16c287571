"""Get and index a user's data set by the workflow's own commands."""

import contextlib
import io
import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ptnl.cli import download_dataset, index_dataset
from ptnl.io import read_metadata, read_parquet
from ptnl.schemas import MANIFEST


@dataclass(frozen=True)
class Indexed:
    """What the commands found in a data set."""

    manifest: pd.DataFrame
    notes: str  # what the commands printed
    skipped: list[str]
    images: Path  # the folder in which the paths of the manifest start

    @property
    def names(self) -> list[str]:
        return self.manifest.groupby("label").class_name.first().tolist()

    @property
    def sizes(self) -> dict[str, int]:
        return {s: int((self.manifest.split == s).sum()) for s in ("train", "val", "test")}


def index(place: Path, options: dict) -> Indexed:
    """Index the data set that `options` describe, below `place`; `on_bad_image` may be one."""
    options = dict(options)
    on_bad_image = options.pop("on_bad_image", "stop")
    receipt, table = place / "data/mine/receipt.json", place / "mine.parquet"
    asked = ["--dataset", "mine", "--options", json.dumps(options)]
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        download_dataset.main([*asked, "--manual", str(place / "manual"), "--out", str(receipt)])
        index_dataset.main(
            [*asked, "--receipt", str(receipt), "--out", str(table), "--on-bad-image", on_bad_image]
        )
    skipped = read_metadata(table)["settings"]["skipped"]
    images = receipt.parent / "images"
    return Indexed(read_parquet(table, MANIFEST), said.getvalue(), skipped, images)
