"""A table of the user's: which images there are, with which class, and perhaps in which split."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ptnl.data.archives import Archives
from ptnl.data.own_folder import link
from ptnl.data.splits import SPLITS, half_fifth_rest
from ptnl.errors import InputError
from ptnl.schemas import MANIFEST


def download(dataset: str, images: Path, options: Mapping[str, Any], archives: Archives) -> dict:
    """Link to the folder of images: nothing is copied (see `ptnl.data.class_folders`)."""
    return link(Path(options["images"]), images)


def index(dataset: str, images: Path, options: Mapping[str, Any]) -> pd.DataFrame:
    """The manifest from a CSV or Parquet file with the columns image, label or class_name, split.

    With a class name alone, labels are the names in order; with a label alone, it is the name.
    Without a split, every class is split at random: 50 % train, 20 % val, 30 % test.
    """
    path = Path(options["manifest"])
    table = _with_classes(_read(path), path)
    if "split" not in table:
        return half_fifth_rest(
            (label, name, rows.image.tolist())
            for (label, name), rows in table.groupby(["label", "class_name"])
        )
    unknown = table.split[~table.split.isin(SPLITS)]
    if len(unknown):
        raise InputError(
            f"{path}: row {unknown.index[0] + 1}: split is {unknown.iloc[0]!r}, not one of "
            f"{', '.join(SPLITS)}"
        )
    order = table.split.map(SPLITS.index).sort_values(kind="stable").index
    return table.loc[order, list(MANIFEST)].reset_index(drop=True)


def _read(path: Path) -> pd.DataFrame:
    try:
        if path.suffix == ".parquet":
            table = pd.read_parquet(path)
        else:
            # Class names such as 007 or None are names.
            table = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as CSV or Parquet ({error})") from error
    columns = [name for name in ("image", "label", "class_name", "split") if name in table]
    if "image" not in columns or not {"label", "class_name"} & set(columns):
        raise InputError(f"{path}: needs the columns image and label or class_name, perhaps split")
    empty = table[columns].isna().any(axis=1)
    if empty.any():
        raise InputError(f"{path}: row {table.index[empty][0] + 1} has an empty cell")
    return table[columns]


def _with_classes(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """The table with a numeric label and a class name."""
    if "class_name" in table and "label" in table:
        try:
            table = table.assign(label=table.label.astype("int64"))
        except ValueError as error:
            raise InputError(f"{path}: labels beside class names are numbers ({error})") from error
        several = table.groupby("class_name").label.nunique()
        if several.max() > 1:
            raise InputError(f"{path}: class {several.idxmax()!r} has several labels")
        return table
    names = table["class_name" if "class_name" in table else "label"].astype(str)
    labels = {name: label for label, name in enumerate(sorted(names.unique()))}
    return table.assign(class_name=names, label=names.map(labels))
