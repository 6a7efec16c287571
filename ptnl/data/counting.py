"""Count the images of a user's data set in each split, without decoding any."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ptnl.data import Dataset, Size, expected_sizes, options_of
from ptnl.data.folder_tree import folders, scan
from ptnl.data.own_folder import split_folders
from ptnl.data.own_manifest import read_own_table
from ptnl.data.splits import SPLIT_WORDS, SPLITS, half_fifth_counts


def sizes_of(config: Mapping[str, Any], datasets: Mapping[str, Dataset]) -> dict[str, Size]:
    """Data set of the study -> size, if it is known or can be counted."""
    found = {name: _size(datasets[name], options_of(config, name)) for name in config["datasets"]}
    return {name: size for name, size in found.items() if size is not None}


def _size(dataset: Dataset, options: Mapping[str, Any]) -> Size | None:
    sizes = expected_sizes(dataset, options)
    if sizes is not None and dataset.classes is not None:
        return Size(dataset.classes, {split: sizes.get(split, 0) for split in SPLITS})
    if "folder" in options:
        return count_folder(Path(options["folder"]))
    if "manifest" in options:
        return count_table(Path(options["manifest"]))
    return None


def count_folder(root: Path) -> Size:
    """Count a folder of class folders, or of folders of splits (see `ptnl.data.own_folder`)."""
    top = folders(root)
    splits = split_folders(root, {name: bool(folders(root / name)) for name in top})
    if not splits:
        return _split_at_random({name: len(scan(root, name).images) for name in top})
    images = {split: len(scan(root, folder).images) for split, folder in splits.items()}
    classes = {name for folder in splits.values() for name in folders(root / folder)}
    return Size(len(classes), {split: images.get(split, 0) for split in SPLITS})


def count_table(path: Path) -> Size:
    """Count the rows of a table of images (see `ptnl.data.own_manifest`)."""
    table = read_own_table(path)
    classes = Counter(table.text("class_name" if "class_name" in table else "label"))
    if "split" not in table:
        return _split_at_random(classes)
    splits = Counter(SPLIT_WORDS.get(word.lower()) for word in table.text("split"))
    return Size(len(classes), {split: splits[split] for split in SPLITS})


def _split_at_random(images: Mapping[str, int]) -> Size:
    """The size of a data set with random splits. Equal images are counted like others."""
    parts = [half_fifth_counts(name, number) for name, number in images.items()]
    by_split = {split: sum(part[place] for part in parts) for place, split in enumerate(SPLITS)}
    return Size(len(images), by_split)
