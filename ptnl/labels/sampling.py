"""The few-shot draw, exactly as CoOp's data sets make it."""

import random

import pandas as pd

from ptnl.errors import InputError

VAL_SHOTS = 4  # CoOp's validation draw holds min(K, 4) images per class


def draw_shots(manifest: pd.DataFrame, shots: int, seed: int) -> pd.DataFrame:
    """Draw `shots` training and min(shots, 4) validation images per class.

    The draw is CoOp's `generate_fewshot_dataset`, bit for bit: one stream seeded with `seed`, over
    the classes in order of first appearance, `random.sample` from each class's images in split-file
    order, train first, then val.

    Parameters
    ----------
    manifest : columns image, label, class_name, split, in split-file order
    shots : K, labelled images per class
    seed : seed of the draw

    Returns
    -------
    The drawn rows of the manifest: all of train, then all of val, class by class.

    Raises
    ------
    InputError : a class has too few images
    """
    stream = random.Random(seed)
    drawn: list[int] = []
    for split, wanted in (("train", shots), ("val", min(shots, VAL_SHOTS))):
        part = manifest[manifest.split == split]
        for (_, name), rows in part.groupby(["label", "class_name"], sort=False):
            if len(rows) < wanted:
                raise InputError(
                    f"class {name!r} has {len(rows)} {split} images, "
                    f"fewer than the {wanted} to draw"
                )
            drawn += stream.sample(rows.index.tolist(), wanted)
    return manifest.loc[drawn].reset_index(drop=True)
