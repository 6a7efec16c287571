"""Choosing pseudo-labelled training images (paper, section 5). Pure functions.

Importing this module does not import pandas, because the Snakefile reads the registry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import numpy as np

from ptnl.machine.random_streams import random_stream
from ptnl.schemas import NOISY_SHOTS

if TYPE_CHECKING:
    import pandas as pd


def most_confident(pseudo_labels: pd.DataFrame, shots: int, seed: int) -> pd.DataFrame:
    """The `shots` most confident images of every predicted class (UPL, Huang et al. 2022).

    Every seed gets the same images; among equally confident ones, the first are chosen.
    """
    del seed
    order = pseudo_labels.sort_values("confidence", ascending=False, kind="stable")
    return order.groupby("label_pseudo").head(shots)


def random_per_class(pseudo_labels: pd.DataFrame, shots: int, seed: int) -> pd.DataFrame:
    """`shots` random images of every predicted class (Robust UPL; paper, section 5).

    Each class has its own random stream, so its draw does not depend on the other classes.
    """
    rows = [
        random_stream("pseudo-labels", seed, int(cast("int", label))).permutation(of_class)[:shots]
        for label, of_class in pseudo_labels.groupby("label_pseudo").indices.items()
    ]
    return pseudo_labels.iloc[np.concatenate(rows)]


SELECTIONS: dict[str, Callable[[pd.DataFrame, int, int], pd.DataFrame]] = {
    "pseudo_confident": most_confident,
    "pseudo_random": random_per_class,
}


def pseudo_shots(
    pseudo_labels: pd.DataFrame, selection: str, shots: int, seed: int
) -> pd.DataFrame:
    """Training images with their zero-shot labels (see `ptnl.schemas.NOISY_SHOTS`).

    They come from the training split: up to `shots` images of every predicted class, or all if
    there are fewer. A class that was never predicted has none.

    Parameters
    ----------
    pseudo_labels : zero-shot predictions (see `ptnl.schemas.PSEUDO_LABELS`)
    selection : name in `SELECTIONS`
    shots : images per predicted class
    seed : seed of the random selection
    """
    train = pseudo_labels[pseudo_labels.split == "train"]
    chosen = SELECTIONS[selection](train, shots, seed).sort_values("label_pseudo", kind="stable")
    rows = chosen.rename(columns={"label": "label_clean", "label_pseudo": "label"})
    return rows.assign(is_noisy=rows.label != rows.label_clean)[list(NOISY_SHOTS)]
