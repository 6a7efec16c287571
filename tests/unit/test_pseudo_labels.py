"""Pseudo-labelled images are chosen by confidence or at random, and do not depend on batches."""

import numpy as np
import pandas as pd
import pytest

from ptnl.backbones.assets import FOLDER
from ptnl.cli import pseudolabel_zeroshot
from ptnl.io import read_array, read_parquet, write_array, write_parquet
from ptnl.labels.pseudo_labels import pseudo_shots
from ptnl.provenance import names_digest
from ptnl.schemas import MANIFEST, NOISY_SHOTS, PSEUDO_LABELS

SHOTS = 4


@pytest.fixture
def pseudo_labels() -> pd.DataFrame:
    """200 images of 5 classes; class 4 is never predicted, class 3 for two training images only."""
    stream = np.random.default_rng(0)
    label = stream.integers(5, size=200)
    predicted = stream.integers(3, size=200)
    predicted[[0, 1]] = 3
    return pd.DataFrame(
        {
            "image": [f"{i}.png" for i in range(200)],
            "split": np.where(np.arange(200) < 150, "train", "test"),
            "label": label,
            "label_pseudo": predicted,
            "confidence": stream.random(200),
        }
    )


@pytest.mark.parametrize("selection", ["pseudo_confident", "pseudo_random"])
def test_up_to_k_training_images_of_every_predicted_class_are_chosen(pseudo_labels, selection):
    chosen = pseudo_shots(pseudo_labels, selection, SHOTS, seed=1)
    assert list(chosen.columns) == list(NOISY_SHOTS)
    assert chosen.groupby("label").size().to_dict() == {0: 4, 1: 4, 2: 4, 3: 2}
    by_image = pseudo_labels.set_index("image")
    assert set(by_image.split[chosen.image]) == {"train"}
    assert (chosen.label.to_numpy() == by_image.label_pseudo[chosen.image].to_numpy()).all()
    assert (chosen.label_clean.to_numpy() == by_image.label[chosen.image].to_numpy()).all()
    assert (chosen.is_noisy == (chosen.label != chosen.label_clean)).all()
    assert not chosen.image.duplicated().any()


def test_the_most_confident_are_chosen_whatever_the_seed(pseudo_labels):
    chosen = pseudo_shots(pseudo_labels, "pseudo_confident", SHOTS, seed=1)
    train = pseudo_labels[(pseudo_labels.split == "train") & (pseudo_labels.label_pseudo == 0)]
    best = train.nlargest(SHOTS, "confidence")
    assert chosen.image[chosen.label == 0].tolist() == best.image.tolist()
    assert chosen.label.is_monotonic_increasing
    pd.testing.assert_frame_equal(
        chosen, pseudo_shots(pseudo_labels, "pseudo_confident", SHOTS, seed=2)
    )


def test_among_equally_confident_images_the_first_are_chosen(pseudo_labels):
    confidence = pseudo_labels.confidence.round()  # 0 or 1
    chosen = pseudo_shots(
        pseudo_labels.assign(confidence=confidence), "pseudo_confident", SHOTS, seed=1
    )
    for label, images in pseudo_labels[:150].groupby("label_pseudo").image:
        first = sorted(images, key=lambda image: -confidence[int(image.removesuffix(".png"))])
        assert chosen.image[chosen.label == label].tolist() == first[:SHOTS]


def test_a_seed_gives_the_same_images_in_every_version(pseudo_labels):
    chosen = pseudo_shots(pseudo_labels, "pseudo_random", SHOTS, seed=1)
    places = [133, 116, 115, 57, 125, 123, 107, 41, 25, 16, 99, 95, 0, 1]
    assert chosen.image.tolist() == [f"{place}.png" for place in places]


def test_a_random_choice_depends_only_on_its_seed_and_class(pseudo_labels):
    chosen = pseudo_shots(pseudo_labels, "pseudo_random", SHOTS, seed=1)
    assert set(chosen.image) != set(
        pseudo_shots(pseudo_labels, "pseudo_random", SHOTS, seed=2).image
    )
    without = pseudo_labels[pseudo_labels.label_pseudo != 1]
    again = pseudo_shots(without, "pseudo_random", SHOTS, seed=1)
    assert set(again.image[again.label == 2]) == set(chosen.image[chosen.label == 2])


@pytest.mark.parametrize("together", [1, 7, 2**26])
def test_zero_shot_labels_do_not_depend_on_how_many_images_are_in_memory(
    tmp_path, monkeypatch, together
):
    names = [f"{i}.png" for i in range(20)]
    label, split = np.arange(20) % 3, np.where(np.arange(20) % 2, "train", "test")
    called = np.array(["anchor", "bell", "camera"])[label]
    manifest = pd.DataFrame({"image": names, "label": label, "class_name": called, "split": split})
    write_parquet(manifest, tmp_path / "manifest.parquet", MANIFEST, {})
    features = np.random.default_rng(0).normal(size=(20, 128)).astype(np.float16)
    write_array(features, tmp_path / "features.npy", images=names_digest(names))

    def labelled(folder: str) -> tuple[pd.DataFrame, np.ndarray]:
        pseudolabel_zeroshot.main(
            f"--manifest {tmp_path}/manifest.parquet --features {tmp_path}/features.npy "
            f"--dataset icons --backbone mini-rn --model-config {FOLDER}/mini-rn.json "
            f"--weights {FOLDER}/mini-rn.safetensors --shots 4 --device cpu --template {{}} "
            f"--labels {tmp_path}/{folder}.parquet --run {tmp_path}/{folder}".split()
        )
        labels = read_parquet(tmp_path / f"{folder}.parquet", PSEUDO_LABELS)
        return labels, read_array(tmp_path / folder / "logits.npy", 2)

    whole, logits = labelled("whole")
    monkeypatch.setattr(pseudolabel_zeroshot, "TOGETHER", together)
    parts, logits_of_parts = labelled("parts")
    exact = ["image", "split", "label", "label_pseudo", "label_confused"]
    assert parts[exact].equals(whole[exact])
    np.testing.assert_allclose(parts.confidence, whole.confidence, rtol=1e-4)
    np.testing.assert_allclose(logits_of_parts, logits, rtol=1e-3, atol=1e-2)
    assert len(logits) == 10  # the test images
