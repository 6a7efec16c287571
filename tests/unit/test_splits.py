"""Splits: read as CoOp publishes them, made by its rules, and refused where they are wrong."""

import json
import random

import pandas as pd
import pytest

from ptnl.data.splits import (
    check_manifest,
    check_train_images,
    class_folders,
    half_fifth_counts,
    half_fifth_rest,
    hold_out_fifth,
    manifest_of,
    read_lines,
    read_split,
)
from ptnl.errors import InputError
from ptnl.schemas import MANIFEST

SEED = 1
SPLITS = {
    "test": [("t.jpg", 1, "b")],
    "val": [],
    "train": [("z.jpg", 1, "b"), ("a.jpg", 0, "a")],
}


def rows_of(manifest: pd.DataFrame) -> list[tuple]:
    return list(manifest.itertuples(index=False, name=None))


def manifest(*rows: tuple[str, int, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(MANIFEST))


def test_a_manifest_is_train_val_test_each_in_its_order():
    table = manifest_of(SPLITS)
    assert list(table.columns) == list(MANIFEST)
    assert rows_of(table) == [
        ("z.jpg", 1, "b", "train"),
        ("a.jpg", 0, "a", "train"),
        ("t.jpg", 1, "b", "test"),
    ]
    assert rows_of(manifest_of({"val": SPLITS["train"]})) == [
        ("z.jpg", 1, "b", "val"),
        ("a.jpg", 0, "a", "val"),
    ]


def test_a_split_file_is_read_with_its_images_below_their_folder(tmp_path):
    path = tmp_path / "split.json"
    path.write_text(json.dumps({"note": "ours", **SPLITS, "train": [["a b.jpg", "0", "a"]]}))
    assert rows_of(read_split(path, "images")) == [
        ("images/a b.jpg", 0, "a", "train"),
        ("images/t.jpg", 1, "b", "test"),
    ]


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        ("", "not readable as JSON"),
        ("[]", "not a split (train, val, test of image, label, name)"),
        ('{"train": 1}', "not a split (train, val, test of image, label, name)"),
        ('{"train": []}', "holds train of train, val and test"),
        ('{"train": [], "test": []}', "holds train, test of train, val and test"),
        ("{}", "holds nothing of train, val and test"),
        (
            '{"train": [["a.jpg", 0]], "val": [], "test": []}',
            "not a split (train, val, test of image, label, name)",
        ),
        (
            '{"train": [["a.jpg", "x", "a"]], "val": [], "test": []}',
            "not a split (train, val, test of image, label, name)",
        ),
    ],
)
def test_a_broken_split_file_is_refused(tmp_path, broken, sentence):
    path = tmp_path / "split.json"
    path.write_text(broken)
    with pytest.raises(InputError) as caught:
        read_split(path, "images")
    assert str(caught.value).startswith(f"{path}: {sentence}")


def test_a_list_is_read_line_by_line(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes("  Böxer_1 1 \r\n\n \nb\n".encode())
    assert read_lines(path) == ["Böxer_1 1", "b"]
    path.write_bytes(b"\xff\xfe\xff")
    for unreadable in (path, tmp_path / "missing.txt"):
        with pytest.raises(InputError) as caught:
            read_lines(unreadable)
        assert str(caught.value).startswith(f"{unreadable}: not readable as text (")


CLASSES = [(2, "c", [f"c/{i}" for i in range(25)]), (0, "a", [f"a/{i}" for i in range(10)])]


def test_half_a_fifth_and_the_rest_are_coops():
    """As `DescribableTextures.read_and_split_data` is written, but for its seed."""
    stream = random.Random(SEED)
    expected = {"train": [], "val": [], "test": []}
    for label, name, images in CLASSES:
        images = images.copy()
        stream.shuffle(images)
        train, val = round(len(images) * 0.5), round(len(images) * 0.2)
        parts = images[:train], images[train : train + val], images[train + val :]
        for split, part in zip(expected, parts, strict=True):
            expected[split] += [(image, label, name, split) for image in part]
    before = [images.copy() for _, _, images in CLASSES]
    assert rows_of(half_fifth_rest(CLASSES)) == [
        *expected["train"],
        *expected["val"],
        *expected["test"],
    ]
    assert [images for _, _, images in CLASSES] == before


def test_counts_of_half_a_fifth_and_the_rest():
    """Python rounds halves to even, as CoOp relies on: 12 of 25, not 13."""
    counts = {images: half_fifth_counts("a", images) for images in (2, 3, 4, 7, 25)}
    assert counts == {2: (1, 0, 1), 3: (2, 0, 1), 4: (2, 1, 1), 7: (4, 1, 2), 25: (12, 5, 8)}
    for images, number in ((0, "0 images"), (1, "1 image")):
        with pytest.raises(InputError) as caught:
            half_fifth_rest([(0, "a", ["x.jpg"] * images)])
        sentence = f"class 'a' has {number}, too few to split into train and test"
        assert str(caught.value) == sentence


def test_a_fifth_held_out_is_coops():
    """As `OxfordPets.split_trainval` is written, but for its seed."""
    rows = [(image, label, name) for label, name, images in CLASSES for image in images]
    rows = rows[20:] + rows[:20]
    stream = random.Random(SEED)
    expected = {"train": [], "val": []}
    for label in (2, 0):
        of_class = [row for row in rows if row[1] == label]
        held_out = round(len(of_class) * 0.2)
        stream.shuffle(of_class)
        expected["val"] += of_class[:held_out]
        expected["train"] += of_class[held_out:]
    assert hold_out_fifth(rows) == expected
    assert len(expected["val"]) == 7
    least = hold_out_fifth([(f"{i}.jpg", 0, "a") for i in range(3)])
    assert (len(least["train"]), len(least["val"])) == (2, 1)
    for images, number in ((2, "2 images"), (1, "1 image")):
        with pytest.raises(InputError) as caught:
            hold_out_fifth([("x.jpg", 0, "a")] * images)
        assert str(caught.value) == f"class 'a' has {number}, too few to split"


def test_a_fifth_is_held_out_of_each_of_two_classes_that_share_a_name():
    rows = [(f"{i}.jpg", label, "missile") for label in (1, 2) for i in range(5)]
    assert [label for _, label, _ in hold_out_fifth(rows)["val"]] == [1, 2]


def test_folders_are_classes_sorted_by_name(tmp_path):
    for path in ("b/2.jpg", "b/10.jpg", "B/x.jpg", ".hidden/y.jpg", "a/.DS_Store"):
        (tmp_path / "images" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "images" / path).touch()
    (tmp_path / "images/README").touch()
    assert class_folders(tmp_path, "images") == [
        ("B", ["images/B/x.jpg"]),
        ("a", []),
        ("b", ["images/b/10.jpg", "images/b/2.jpg"]),
    ]
    with pytest.raises(InputError) as caught:
        class_folders(tmp_path, "elsewhere")
    assert str(caught.value) == (
        f"{tmp_path / 'elsewhere'}: missing; `ptnl data refresh` has the next run unpack it again"
    )


WHOLE = (
    ("0.jpg", 0, "a", "train"),
    ("1.jpg", 1, "missile", "train"),
    ("2.jpg", 2, "missile", "train"),
    ("3.jpg", 1, "missile", "val"),
    ("4.jpg", 0, "a", "test"),
)


def test_a_whole_manifest_passes():
    """Two labels may share a name, and a data set need have no val."""
    check_manifest(manifest(*WHOLE), None)
    check_manifest(manifest(*WHOLE), {"train": 3, "val": 1, "test": 1})
    without_val = [row for row in WHOLE if row[3] != "val"]
    check_manifest(manifest(*without_val), {"train": 3, "test": 1})


@pytest.mark.parametrize(
    ("rows", "sizes", "sentence"),
    [
        (
            [*WHOLE, ("4.jpg", 1, "missile", "val"), ("5.jpg", 0, "a", "test")],
            None,
            "4.jpg: in the data set more than once",
        ),
        (WHOLE[1:4], None, "labels are 1, 2 instead of 0 to 1"),
        (
            [(f"{label}.jpg", label, "x", "train") for label in (0, 1, 2, 3, 5)],
            None,
            "labels are 0, 1, 2, 3, 5 instead of 0 to 4",
        ),
        (
            [(f"{label}.jpg", label, "x", "train") for label in range(1, 7)],
            None,
            "labels are 1, 2, 3, 4, 5, ... instead of 0 to 5",
        ),
        (
            [*WHOLE, ("5.jpg", 0, "A", "train")],
            None,
            "label 0 has several names: 'a', 'A'",
        ),
        (WHOLE[:4], None, "there are no test images"),
        (WHOLE[3:], {"train": 1}, "there are no train images"),
        (
            [*WHOLE, ("5.jpg", 3, "d", "val"), ("6.jpg", 3, "d", "val"), ("7.jpg", 3, "d", "test")],
            {"train": 1},
            "class 'd' has no train images, but 1 test, 2 val",
        ),
        (
            WHOLE,
            {"train": 1003, "test": 1},
            "3 train, 1 val, 1 test found, 1,003 train, 0 val, 1 test expected: not the data set "
            "that it should be (or, if it is meant to be another, state its sizes in "
            "dataset_options)",
        ),
    ],
)
def test_a_wrong_manifest_is_refused(rows, sizes, sentence):
    with pytest.raises(InputError) as caught:
        check_manifest(manifest(*rows), sizes)
    assert str(caught.value) == sentence


def test_a_class_that_lost_its_train_images_is_named_with_the_reason():
    for rest, said in ((WHOLE[1:], "1 test"), (WHOLE[4:], "1 test")):
        with pytest.raises(InputError) as caught:
            check_train_images(manifest(*rest), ": the others were skipped")
        assert str(caught.value) == (
            f"class 'a' has no train images, but {said}: the others were skipped"
        )
    check_train_images(manifest(*WHOLE))
