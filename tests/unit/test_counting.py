"""The quick count of an own data set, for `ptnl plan`, equals the sizes of its index."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from ptnl.data import Size
from ptnl.data.counting import count_folder, count_table
from ptnl.data.own_folder import index as index_folder
from ptnl.data.own_manifest import index as index_table


def draw(folder: Path, count: int, other: int = 0) -> None:
    """Write `count` images, all of them different."""
    folder.mkdir(parents=True)
    shade = sum(map(ord, folder.name))
    for number in range(count):
        Image.new("RGB", (4, 4), (number, shade % 256, other)).save(folder / f"{number}.png")


def size_of(manifest: pd.DataFrame) -> Size:
    found = manifest.split.value_counts()
    images = {split: int(found.get(split, 0)) for split in ("train", "val", "test")}
    return Size(manifest.label.nunique(), images)


def test_images_in_class_folders_are_counted(tmp_path):
    for name, count in (("owl", 11), ("robin", 6), ("wren", 3)):
        draw(tmp_path / name, count)
    (tmp_path / "owl/notes.txt").write_text("no image")
    counted = count_folder(tmp_path)
    assert counted == size_of(index_folder("birds", tmp_path, {"folder": str(tmp_path)}))
    assert counted.whole == 20


def test_images_in_folders_of_splits_are_counted(tmp_path):
    for split, count in (("train", 4), ("test", 2)):
        for name in ("owl", "wren"):
            draw(tmp_path / split / name, count, len(split))
    counted = count_folder(tmp_path)
    assert counted == Size(2, {"train": 8, "val": 0, "test": 4})
    assert counted == size_of(index_folder("birds", tmp_path, {"folder": str(tmp_path)}))


@pytest.mark.parametrize("has_splits", [True, False])
def test_rows_of_a_table_are_counted(tmp_path, has_splits):
    draw(tmp_path / "images", 10)
    table = pd.DataFrame(
        {
            "image": [f"{number}.png" for number in range(10)],
            "class_name": ["owl", "wren"] * 5,
            "split": ["training"] * 6 + ["Test"] * 4,
        }
    )
    path = tmp_path / "birds.csv"
    (table if has_splits else table.drop(columns="split")).to_csv(path, index=False)
    options = {"manifest": str(path), "images": str(tmp_path / "images")}
    assert count_table(path) == size_of(index_table("birds", tmp_path / "images", options))
