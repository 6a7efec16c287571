"""Official lists of classes and images are refused if damaged, or if they contradict each other."""

import io
from importlib import import_module
from pathlib import Path

import pytest
from scipy.io import savemat

from ptnl.errors import InputError


def labels(*numbers: int) -> bytes:
    """`imagelabels.mat` of the flowers."""
    file = io.BytesIO()
    savemat(file, {"labels": [numbers]})
    return file.getvalue()


NAMES = b'{"1": "rose"}'
LISTS = "ucfTrainTestlist"
# Data set, files below its images, and the error after the name of their folder.
CASES = [
    (
        "flowers102",
        {"imagelabels.mat": labels(1, 2), "cat_to_name.json": NAMES},
        "cat_to_name.json: has no name for class 2",
    ),
    *(
        (
            "flowers102",
            {"imagelabels.mat": damaged, "cat_to_name.json": NAMES},
            "imagelabels.mat: not the labels of the flowers",
        )
        for damaged in (
            b"",
            200 * b"text",
            labels(1)[:150],
            labels(1, 2).replace(b"labels", b"others"),
        )
    ),
    ("oxford_pets", {}, "annotations/trainval.txt: not readable as text"),
    (
        "oxford_pets",
        {"annotations/trainval.txt": b"Abyssinian_1 1 1\n"},
        "annotations/trainval.txt: not a list of images and classes",
    ),
    (
        "fgvc_aircraft",
        {"variants.txt": b"707\n", "images_variant_train.txt": b"0000001 747\n"},
        "images_variant_train.txt: '747' is not in variants.txt",
    ),
    (
        "ucf101",
        {f"{LISTS}/classInd.txt": b"Archery\n"},
        f"{LISTS}/classInd.txt: not a list of numbers and actions",
    ),
    (
        "ucf101",
        {f"{LISTS}/classInd.txt": b"1 Archery\n", f"{LISTS}/trainlist01.txt": b"Golf/v.avi 1\n"},
        f"{LISTS}/trainlist01.txt: 'Golf' is not in classInd.txt",
    ),
    (
        "imagenet",
        {"classnames.txt": b"tench\n"},
        "classnames.txt: 'tench' is not a wnid followed by a class name",
    ),
    ("imagenet", {"classnames.txt": b"n01440764 tench\n"}, "train: missing; after `ptnl data"),
    (
        "imagenet",
        {"classnames.txt": b"n01440764 tench\n", "train/n01443537/a.JPEG": b""},
        "classnames.txt: has no name for n01443537",
    ),
]


@pytest.mark.parametrize(("dataset", "files", "sentence"), CASES)
def test_wrong_lists_are_named(tmp_path, dataset, files, sentence):
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    index = import_module(f"ptnl.data.{dataset}").index
    with pytest.raises(InputError) as caught:
        index(dataset, tmp_path, {"splits": "native"})
    assert str(caught.value).startswith(f"{tmp_path}/{sentence}")


def test_a_class_of_imagenet_in_one_split_only_is_named(tmp_path):
    (tmp_path / "classnames.txt").write_text("n01440764 tench\nn01443537 goldfish\n")
    for folder in ("train/n01440764", "train/n01443537", "val/n01440764"):
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(InputError, match="n01443537 is in one of train and val only"):
        import_module("ptnl.data.imagenet").index("imagenet", Path(tmp_path), {})
