"""The few-shot draw, exactly as CoOp makes it."""

import random
from typing import Any

import pandas as pd
from pandas.core.groupby import DataFrameGroupBy

from ptnl.errors import InputError

VAL_SHOTS = 4  # CoOp draws min(K, 4) validation images per class, if there are so many


def draw_shots(manifest: pd.DataFrame, shots: int | None, seed: int) -> pd.DataFrame:
    """Draw `shots` training and min(shots, 4) validation images per class.

    The draw is CoOp's `generate_fewshot_dataset`, bit for bit: one stream seeded with `seed`, over
    the classes in order of first appearance, `random.sample` from each class's images in split-file
    order, train first, then val. If a class has fewer validation images, all of them are drawn.

    Parameters
    ----------
    manifest : columns image, label, class_name, split, in split-file order
    shots : K, labelled images per class; None takes all of train, in split-file order
    seed : seed of the draw

    Returns
    -------
    The drawn rows of the manifest: all of train, then all of val, class by class.

    Raises
    ------
    InputError
        A class has too few training images.
    """
    stream = random.Random(seed)
    drawn: list[int] = []
    for _, rows in _classes(manifest, "train"):
        if shots is None:
            drawn += rows.index.tolist()
            continue
        if len(rows) < shots:
            raise InputError(
                f"class {rows.class_name.iloc[0]!r} has {len(rows)} train images, fewer than the "
                f"{shots} to draw; lower shots, or set shots: all"
            )
        drawn += stream.sample(rows.index.tolist(), shots)
    val_shots = VAL_SHOTS if shots is None else min(shots, VAL_SHOTS)
    for _, rows in _classes(manifest, "val"):
        drawn += stream.sample(rows.index.tolist(), min(len(rows), val_shots))
    return manifest.loc[drawn].reset_index(drop=True)


def images_per_class(manifest: pd.DataFrame) -> int:
    """The mean number of training images per class, rounded, for draws of all images."""
    return round((manifest.split == "train").sum() / manifest.label.nunique())


def _classes(manifest: pd.DataFrame, split: str) -> "DataFrameGroupBy[Any, Any]":
    return manifest[manifest.split == split].groupby("label", sort=False)
