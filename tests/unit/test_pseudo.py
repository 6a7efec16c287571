"""Choosing pseudo-labelled images."""

import numpy as np
import pandas as pd
import pytest

from ptnl.labels.pseudo_labels import pseudo_shots
from ptnl.schemas import NOISY_SHOTS

SHOTS = 4


@pytest.fixture
def pseudo() -> pd.DataFrame:
    """200 images of 5 classes; class 4 is never predicted, class 3 twice among training images."""
    stream = np.random.default_rng(0)
    label = stream.integers(5, size=200)
    guess = stream.integers(3, size=200)
    guess[[0, 1]] = 3
    return pd.DataFrame(
        {
            "image": [f"{i}.png" for i in range(200)],
            "split": np.where(np.arange(200) < 150, "train", "test"),
            "label": label,
            "label_pseudo": guess,
            "confidence": stream.random(200),
        }
    )


@pytest.mark.parametrize("selection", ["pseudo_confident", "pseudo_random"])
def test_up_to_k_training_images_of_every_predicted_class(pseudo, selection):
    chosen = pseudo_shots(pseudo, selection, SHOTS, seed=1)
    assert list(chosen.columns) == list(NOISY_SHOTS)
    assert chosen.groupby("label").size().to_dict() == {0: 4, 1: 4, 2: 4, 3: 2}
    told = pseudo.set_index("image")
    assert set(told.split[chosen.image]) == {"train"}
    assert (chosen.label.to_numpy() == told.label_pseudo[chosen.image].to_numpy()).all()
    assert (chosen.label_clean.to_numpy() == told.label[chosen.image].to_numpy()).all()
    assert (chosen.is_noisy == (chosen.label != chosen.label_clean)).all()
    assert not chosen.image.duplicated().any()


def test_the_most_confident_are_chosen_whatever_the_seed(pseudo):
    chosen = pseudo_shots(pseudo, "pseudo_confident", SHOTS, seed=1)
    train = pseudo[(pseudo.split == "train") & (pseudo.label_pseudo == 0)]
    best = train.nlargest(SHOTS, "confidence")
    assert set(chosen.image[chosen.label == 0]) == set(best.image)
    pd.testing.assert_frame_equal(chosen, pseudo_shots(pseudo, "pseudo_confident", SHOTS, seed=2))


def test_a_random_choice_depends_on_its_seed_and_class_alone(pseudo):
    chosen = pseudo_shots(pseudo, "pseudo_random", SHOTS, seed=1)
    assert set(chosen.image) != set(pseudo_shots(pseudo, "pseudo_random", SHOTS, seed=2).image)
    without = pseudo[pseudo.label_pseudo != 1]
    again = pseudo_shots(without, "pseudo_random", SHOTS, seed=1)
    assert set(again.image[again.label == 2]) == set(chosen.image[chosen.label == 2])
