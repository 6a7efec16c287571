"""What each method makes of each test image, and which images all of them get wrong. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ptnl.schemas import HARD_IMAGES, PREDICTIONS

MOST = 24  # images of a data set that are listed
RUN = ("dataset", "backbone", "method", "noise", "fp", "rate", "seed")


def predictions_of(
    run: Mapping[str, Any], logits: np.ndarray, images: pd.DataFrame, names: Sequence[str]
) -> pd.DataFrame:
    """The predictions of one run; see `ptnl.schemas.PREDICTIONS`.

    Parameters
    ----------
    run : its metrics
    logits : (T, C) of the test images
    images : their T rows of the manifest (`ptnl.schemas.MANIFEST`)
    names : C class names
    """
    scores, labels = logits.astype(np.float32), images.label.to_numpy()
    rows = np.arange(len(scores))
    predicted, true = scores.argmax(axis=1), scores[rows, labels]
    scores[rows, labels] = -np.inf
    frame = images[["image", "label", "class_name"]].reset_index(drop=True)
    return frame.assign(
        **{key: run[key] for key in RUN},
        predicted=predicted,
        predicted_class=np.take(np.asarray(names, dtype=object), predicted),
        margin=(true - scores.max(axis=1)).astype(np.float64),
    )[list(PREDICTIONS)]


def hard_images(predictions: pd.DataFrame, backbone: str) -> pd.DataFrame:
    """The test images that every method gets wrong at every rate, `MOST` of a data set at most.

    The clearest mistakes come first: those with the largest share of predictions that agree on one
    class, and among equals those of the lowest mean margin.

    Parameters
    ----------
    predictions : see `ptnl.schemas.PREDICTIONS`
    backbone : whose predictions count

    Returns
    -------
    Columns as `ptnl.schemas.HARD_IMAGES`, without thumbnails
    """
    rows = predictions[predictions.backbone == backbone]
    image = ["dataset", "image"]
    known = (rows.predicted == rows.label).groupby([rows.dataset, rows.image]).transform("any")
    wrong = rows[~known]
    votes = wrong.groupby([*image, "class_name", "predicted_class"]).size().rename("agreeing")
    ranked = votes.reset_index().sort_values("agreeing", ascending=False, kind="stable")
    found = ranked.drop_duplicates(image).set_index(image)
    found["predictions"] = wrong.groupby(image).size()
    found["margin"] = wrong.groupby(image).margin.mean()
    share = found.agreeing / found.predictions
    order = found.assign(share=-share).reset_index()
    order = order.sort_values(["dataset", "share", "margin", "image"], ignore_index=True)
    datasets = order.groupby("dataset")
    order["hard"] = datasets.image.transform("size")
    order = datasets.head(MOST)
    return order[[name for name in HARD_IMAGES if name != "thumbnail"]]
