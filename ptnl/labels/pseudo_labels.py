"""Choosing pseudo-labelled training images (paper, section 5). Pure functions.

The Snakefile reads the registry, so that importing it never imports pandas.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import numpy as np

from ptnl.machine.random_streams import random_stream
from ptnl.schemas import NOISY_SHOTS

if TYPE_CHECKING:
    import pandas as pd


def most_confident(pseudo: pd.DataFrame, shots: int, seed: int) -> pd.DataFrame:
    """The `shots` most confident images of every predicted class (UPL, Huang et al. 2022).

    Every seed sees the same images; ties go to the image that stands first.
    """
    del seed
    order = pseudo.sort_values("confidence", ascending=False, kind="stable")
    return order.groupby("label_pseudo").head(shots)


def random_per_class(pseudo: pd.DataFrame, shots: int, seed: int) -> pd.DataFrame:
    """`shots` images of every predicted class at random (Robust UPL; paper, section 5).

    A class's stream is its own, so that its draw does not depend on the other classes.
    """
    rows = [
        random_stream("pseudo-labels", seed, int(cast("int", label))).permutation(of_class)[:shots]
        for label, of_class in pseudo.groupby("label_pseudo").indices.items()
    ]
    return pseudo.iloc[np.concatenate(rows)]


SELECTIONS: dict[str, Callable[[pd.DataFrame, int, int], pd.DataFrame]] = {
    "pseudo_confident": most_confident,
    "pseudo_random": random_per_class,
}


def pseudo_shots(pseudo: pd.DataFrame, selection: str, shots: int, seed: int) -> pd.DataFrame:
    """Training images with their zero-shot labels (see `ptnl.schemas.NOISY_SHOTS`).

    They come from the training split, up to `shots` of every predicted class, fewer where fewer
    were predicted, none of a class that never was.

    Parameters
    ----------
    pseudo : zero-shot predictions (see `ptnl.schemas.PSEUDO_LABELS`)
    selection : name in `SELECTIONS`
    shots : images per predicted class
    seed : seed of the random selection
    """
    train = pseudo[pseudo.split == "train"]
    chosen = SELECTIONS[selection](train, shots, seed).sort_values("label_pseudo", kind="stable")
    rows = chosen.rename(columns={"label": "label_clean", "label_pseudo": "label"})
    return rows.assign(is_noisy=rows.label != rows.label_clean)[list(NOISY_SHOTS)]
