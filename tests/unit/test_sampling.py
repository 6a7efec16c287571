"""Few-shot draws equal CoOp's, image by image."""

import json

import pandas as pd
import pytest

from ptnl.errors import InputError
from ptnl.labels.sampling import draw_shots, images_per_class
from tests.conftest import ROOT


def manifest_of(classes: int, train: int, val: int, test: int = 1) -> pd.DataFrame:
    """Rows in the order of a split file: all of train class by class, then val, then test."""
    rows = [
        (f"{split}/{label}/{i}", label, f"class {label}", split)
        for split, count in (("train", train), ("val", val), ("test", test))
        for label in range(classes)
        for i in range(count)
    ]
    return pd.DataFrame(rows, columns=["image", "label", "class_name", "split"])


@pytest.mark.parametrize("seed", [1, 2])
def test_a_draw_equals_coops(root, seed):
    golden = json.loads((root / f"tests/golden/coop_draw_dtd_seed{seed}.json").read_text())
    manifest = manifest_of(golden["classes"], golden["train_per_class"], golden["val_per_class"])
    drawn = draw_shots(manifest, golden["shots"], seed)
    position = {split: list(rows.image) for split, rows in manifest.groupby("split")}
    for split in ("train", "val"):
        indices = [position[split].index(i) for i in drawn.image[drawn.split == split]]
        assert indices == golden[f"{split}_indices"]


GOLDEN = json.loads((ROOT / "tests/golden/coop_classes.json").read_text())


@pytest.mark.parametrize("dataset", [name for name in GOLDEN if name != "source"])
def test_a_draw_of_one_image_per_class_equals_coops(dataset):
    """Classes come in the order in which the split file has them first."""
    golden = GOLDEN[dataset]
    order = golden.get("order", range(len(golden["classes"])))
    sizes = zip(order, golden["train_per_class"], strict=True)
    rows = [
        (label, golden["classes"][label], "train") for label, size in sizes for _ in range(size)
    ]
    manifest = pd.DataFrame(rows, columns=["label", "class_name", "split"])
    manifest = manifest.assign(image=manifest.index)
    drawn = draw_shots(manifest, 1, 1)
    assert drawn.image.tolist() == golden["train_indices"]
    assert drawn.label.tolist() == list(order)


def test_classes_are_drawn_in_order_of_first_appearance():
    manifest = manifest_of(3, 8, 4)
    turned = pd.concat([manifest[manifest.label == 2], manifest[manifest.label != 2]])
    assert list(draw_shots(turned.reset_index(drop=True), 2, 1).label[:2]) == [2, 2]


@pytest.mark.parametrize("images", [1, 8])
def test_a_class_with_too_few_images_is_named(images):
    with pytest.raises(InputError) as caught:
        draw_shots(manifest_of(2, images, 4), 16, 1)
    assert str(caught.value) == (
        f"class 'class 0' has {images} train images, fewer than the 16 to draw; lower shots, or "
        "set shots: all"
    )


@pytest.mark.parametrize(("shots", "val"), [(1, 1), (3, 3), (4, 4), (5, 4), (8, 4)])
def test_no_more_val_images_are_drawn_than_shots_nor_than_four(shots, val):
    drawn = draw_shots(manifest_of(2, 8, 6), shots, 1)
    assert list(drawn.columns) == ["image", "label", "class_name", "split"]
    assert drawn.split.tolist() == ["train"] * 2 * shots + ["val"] * 2 * val
    assert drawn.index.tolist() == list(range(len(drawn)))


def test_images_per_class_are_rounded():
    manifest = manifest_of(3, 8, 6)
    assert images_per_class(manifest.iloc[1:]) == 8
    assert images_per_class(manifest.iloc[2:]) == 7


def test_drawing_all_shots_takes_the_whole_training_split():
    manifest = manifest_of(3, 8, 6)
    drawn = draw_shots(manifest, None, 1)
    train = drawn[drawn.split == "train"]
    assert train.image.tolist() == manifest.image[manifest.split == "train"].tolist()
    assert drawn[drawn.split == "val"].label.value_counts().tolist() == [4, 4, 4]
    assert images_per_class(manifest) == 8


def test_a_small_validation_split_is_drawn_whole():
    assert (draw_shots(manifest_of(2, 8, 3), 8, 1).split == "val").sum() == 6
    assert (draw_shots(manifest_of(2, 8, 0), 8, 1).split == "train").all()
