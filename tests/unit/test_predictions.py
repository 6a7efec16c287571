"""The prediction for every single image, and the images that all methods get wrong."""

from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import ptnl
from ptnl.analysis.predictions import MOST, hard_images, predictions_of
from ptnl.io import read_parquet
from ptnl.schemas import HARD_IMAGES, PREDICTIONS
from tests.unit.made_up import CLASSES, SHARES
from tests.unit.made_up_report import reported

RUN = {"dataset": "icons", "backbone": "mini-rn", "method": "prompt_ce", "noise": "symmetric"}
RUN |= {"fp": 0, "rate": 0.0, "seed": 1}
IMAGES = pd.DataFrame({"image": ["a", "b"], "label": [0, 1], "class_name": ["apple", "bell"]})


def test_the_margin_is_the_logit_of_the_true_class_minus_the_best_other():
    logits = np.array([[3.0, 1.0, 2.5], [2.0, -1.0, 0.0]], dtype=np.float16)
    rows = predictions_of(RUN, logits, IMAGES, CLASSES)
    assert list(rows.columns) == list(PREDICTIONS)
    assert rows.predicted_class.tolist() == ["apple", "apple"]
    assert rows.margin.tolist() == [0.5, -3.0]
    assert ((rows.margin > 0) == (rows.predicted == rows.label)).all()


def predictions(*rows: tuple[str, int, int, float]) -> pd.DataFrame:
    """Rows of (image, label, predicted, margin); those of an image are by different methods."""
    frame = pd.DataFrame(rows, columns=["image", "label", "predicted", "margin"])
    frame["method"] = [f"method{number}" for number in frame.groupby("image").cumcount()]
    names = {"class_name": frame.label.map(str), "predicted_class": frame.predicted.map(str)}
    return frame.assign(dataset="icons", backbone="mini-rn", **names)


def test_images_that_no_method_recognises_are_hard():
    found = hard_images(
        predictions(
            *[("known once", 0, 0, 0.1), ("known once", 0, 1, -9.0), ("known once", 0, 1, -9.0)],
            *[("split", 0, 1, -5.0), ("split", 0, 2, -5.0), ("split", 0, 1, -5.0)],
            *[("near", 0, 1, -1.0), ("near", 0, 1, -1.0), ("near", 0, 1, -1.0)],
            *[("far", 1, 2, -4.0), ("far", 1, 2, -4.0), ("far", 1, 2, -4.0)],
        ),
        "mini-rn",
    )
    assert found.image.tolist() == ["far", "near", "split"]
    assert found.predicted_class.tolist() == ["2", "1", "1"]
    assert found.agreeing.tolist() == [3, 3, 2]
    assert set(found.predictions) == {3}
    assert hard_images(predictions(("a", 0, 1, -1.0)), "another").empty


def test_of_many_hard_images_the_first_are_kept_and_all_are_counted():
    many = predictions(*[(f"{number:03}", 0, 1, -float(number)) for number in range(2 * MOST)])
    found = hard_images(many, "mini-rn")
    assert found.image.tolist() == [f"{number:03}" for number in reversed(range(MOST, 2 * MOST))]
    assert set(found.hard) == {2 * MOST}


def test_the_commands_write_predictions_and_hard_images(tmp_path):
    results = ptnl.results(reported(tmp_path / "toy"))
    by_image = results.by_image
    assert set(by_image.method) == {"zero_shot", *SHARES}
    for run in results.runs[results.runs.seed <= 1].itertuples():
        rows = by_image[(by_image.method == run.method) & (by_image.fp == run.fp)]
        right = rows.predicted == rows.label
        assert 100 * right.mean() == pytest.approx(run.accuracy)
        assert (rows.predicted_class == np.take(CLASSES, rows.predicted)).all()
    hard = read_parquet(results.folder / "hard_images.parquet", HARD_IMAGES)
    never = by_image.groupby("image").filter(lambda rows: (rows.predicted != rows.label).all())
    assert set(hard.image) == set(never.image)
    assert len(hard)
    for picture in hard.thumbnail:
        assert Image.open(BytesIO(picture)).size == (51, 64)
