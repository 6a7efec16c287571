"""The paper's data sets, read from archives in their official layouts, and own data sets."""

import io
import json
import re
import shutil
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from ptnl.analysis.published import published
from ptnl.cli import download_dataset, index_dataset
from ptnl.data import DATASETS, expected_sizes, in_order, title_of
from ptnl.data.splits import half_fifth_rest, hold_out_fifth, read_split
from ptnl.data.ucf101 import cut_frames, separated
from ptnl.errors import InputError
from ptnl.io import read_json, read_metadata, read_parquet
from ptnl.schemas import MANIFEST
from ptnl.study.layouts import EIGHT, FIGURES, FOUR, SEVEN, TABLES, shown
from tests.archives import (
    BUILDERS,
    GOLDEN,
    IMAGENET,
    Small,
    class_folders,
    picture,
    ucf101_videos,
    video,
    write_sources,
)

EVERY_CLASS = Small(images=10)
COOP = [name for name in GOLDEN if name in DATASETS]
SPLIT_BY_COOP = [name for name in COOP if name != "fgvc_aircraft"]


@pytest.fixture(scope="session")
def archives(tmp_path_factory) -> Path:
    """Archives of all classes in a folder per data set, and the table of sources for them."""
    folder = tmp_path_factory.mktemp("archives")
    for dataset, build in BUILDERS.items():
        (folder / dataset).mkdir()
        sizes = build(folder / dataset, EVERY_CLASS)
        (folder / f"{dataset}.json").write_text(json.dumps(sizes))
    write_sources(folder)
    return folder


def get(dataset: str, out: Path, sources: Path, manual: Path, **options) -> pd.DataFrame:
    """Download and index as the workflow does; the archives are those in the folder `manual`."""
    receipt, table = out / dataset / "receipt.json", out / f"{dataset}.parquet"
    asked = ["--dataset", dataset, "--options", json.dumps(options)]
    download_dataset.main(
        [*asked, "--sources", str(sources), "--manual", str(manual), "--out", str(receipt)]
    )
    index_dataset.main([*asked, "--receipt", str(receipt), "--out", str(table)])
    return read_parquet(table, MANIFEST)


@pytest.fixture(scope="session")
def coop(archives, tmp_path_factory):
    """Get a data set in CoOp's split; returns its manifest, and the folder that it lies in."""
    folder = tmp_path_factory.mktemp("coop")

    @cache
    def got(dataset: str) -> tuple[pd.DataFrame, Path]:
        sizes = read_json(archives / f"{dataset}.json")
        sources, manual = archives / "sources.yaml", archives / dataset
        return get(dataset, folder, sources, manual, sizes=sizes), folder

    return got


@pytest.fixture
def fetch(archives, tmp_path):
    """Get a data set from the archives, expecting the sizes that they were made with."""

    def fetched(dataset: str, **options) -> pd.DataFrame:
        if dataset in BUILDERS:
            options = {"sizes": read_json(archives / f"{dataset}.json"), **options}
        return get(dataset, tmp_path, archives / "sources.yaml", archives / dataset, **options)

    return fetched


def names_of(manifest: pd.DataFrame) -> list[str]:
    return manifest.groupby("label").class_name.first().tolist()


@pytest.mark.parametrize("dataset", COOP)
def test_labels_names_order_and_splits_are_those_of_coop(coop, archives, dataset):
    (manifest, folder), golden = coop(dataset), GOLDEN[dataset]
    assert names_of(manifest) == golden["classes"]
    order = golden.get("order", list(range(len(golden["classes"]))))
    for split in ("train", "val"):
        assert manifest[manifest.split == split].label.unique().tolist() == order
    assert manifest.split.value_counts().to_dict() == read_json(archives / f"{dataset}.json")
    assert manifest.split.unique().tolist() == ["train", "val", "test"]
    kind = "own" if dataset == "fgvc_aircraft" else "coop"
    assert read_metadata(folder / f"{dataset}.parquet")["settings"]["receipt"]["splits"] == kind


@pytest.mark.parametrize("dataset", SPLIT_BY_COOP)
def test_native_splits_keep_names_order_and_sizes(coop, fetch, tmp_path, dataset):
    published, native = coop(dataset)[0], fetch(dataset, splits="native")
    assert names_of(native) == names_of(published)
    both = published, native
    first = [m[m.split == "train"].label.unique().tolist() for m in both]
    assert first[0] == first[1]
    counts = [m.groupby(["split", "label"]).size() for m in both]
    pd.testing.assert_series_equal(*counts)
    assert set(native.image) == set(published.image)
    assert not native.image.equals(published.image)
    module = import_module(f"ptnl.data.{DATASETS[dataset].module}")
    again = module.index(dataset, tmp_path / dataset / "images", {"splits": "native"})
    assert again.equals(native)
    assert read_json(tmp_path / dataset / "receipt.json")["splits"] == "native"
    if dataset in ("oxford_pets", "ucf101"):  # their test split is official
        test = [m[m.split == "test"].reset_index(drop=True) for m in both]
        pd.testing.assert_frame_equal(*test)


@pytest.mark.parametrize(
    ("dataset", "root"), [("ucf101", "UCF-101-midframes"), ("oxford_pets", "images")]
)
def test_image_paths_are_spelt_as_in_coops_splits(coop, dataset, root):
    def without_number(image: str) -> str:
        return re.sub(r"(_g\d+_c)?\d+\.jpg$", "", image)

    ours = {without_number(image) for image in coop(dataset)[0].image}
    assert {f"{root}/{without_number(image)}" for image in GOLDEN[dataset]["images"]} <= ours


@pytest.mark.parametrize("dataset", COOP)
def test_a_copy_in_coops_layout_is_used_in_place(coop, fetch, tmp_path, dataset):
    """A second data root uses the images of the first, which stay where they are."""
    manifest, folder = coop(dataset)
    copy = folder / dataset / "images"
    assert fetch(dataset, source=str(copy)).equals(manifest)
    assert (tmp_path / dataset / "images").resolve() == copy
    assert read_json(tmp_path / dataset / "receipt.json")["files"] == {}


def test_without_coops_split_the_user_must_choose(archives, tmp_path, fetch):
    without = tmp_path / "without"
    shutil.copytree(archives / "dtd", without)
    (without / "split_zhou_DescribableTextures.json").unlink()
    with pytest.raises(InputError) as caught:
        get("dtd", tmp_path, archives / "sources.yaml", without)
    for words in ("split_zhou_DescribableTextures.json", str(without), "{dtd: {splits: native}}"):
        assert words in str(caught.value)
    assert not (tmp_path / "dtd/images").exists()
    sizes = read_json(archives / "dtd.json")
    get("dtd", tmp_path, archives / "sources.yaml", without, splits="native", sizes=sizes)


def index_again(folder: Path, dataset: str, options: dict) -> None:
    """Index a data set again that `coop` got."""
    receipt = ["--receipt", str(folder / dataset / "receipt.json")]
    asked = ["--dataset", dataset, "--options", json.dumps(options)]
    index_dataset.main([*asked, *receipt, "--out", str(folder / "again.parquet")])


def test_a_data_set_is_not_indexed_with_another_split_than_it_was_got_with(coop):
    with pytest.raises(InputError, match="made with other options"):
        index_again(coop("dtd")[1], "dtd", {"splits": "native"})


def test_other_sizes_than_the_official_ones_are_refused(fetch):
    with pytest.raises(InputError) as caught:
        fetch("dtd", sizes={"train": 2820, "val": 1128, "test": 1692})
    assert str(caught.value).startswith(
        "dtd: 235 train, 94 val, 141 test found, 2,820 train, 1,128 val, 1,692 test expected"
    )
    for name in EIGHT:
        dataset = DATASETS[name]
        assert expected_sizes(dataset, {})["test"] == dataset.sizes[2]
        assert expected_sizes(dataset, {"sizes": {"train": 1}}) == {"train": 1}


@pytest.mark.parametrize(
    "broken", ["", "[]", '{"train": []}', '{"train": [["a.jpg", 0]], "val": [], "test": []}']
)
def test_a_broken_split_file_is_refused(tmp_path, broken):
    path = tmp_path / "split.json"
    path.write_text(broken)
    with pytest.raises(InputError, match=r"split\.json: (not|holds train of)"):
        read_split(path, "images")


def test_images_are_split_as_coop_splits_them():
    images = [f"{i:02d}" for i in range(25)]
    split = half_fifth_rest([(0, "a", images), (1, "b", images)])
    counts = split.groupby(["label", "split"]).size().unstack()
    # CoOp relies on Python's rounding of halves to even: 12 of 25, not 13.
    assert counts.loc[0].to_dict() == {"train": 12, "val": 5, "test": 8}
    assert sorted(split[split.label == 1].image) == images
    train = split[split.split == "train"]
    assert set(train[train.label == 0].image) != set(train[train.label == 1].image)
    parts = hold_out_fifth([(i, 0, "a") for i in images])
    assert (len(parts["train"]), len(parts["val"])) == (20, 5)
    with pytest.raises(InputError, match="class 'a' has 1 image,"):
        half_fifth_rest([(0, "a", images[:1])])
    few = {n: half_fifth_rest([(0, "a", images[:n])]).split.tolist() for n in (2, 3, 4)}
    assert few == {
        2: ["train", "test"],
        3: ["train", "train", "test"],
        4: ["train", "train", "val", "test"],
    }
    with pytest.raises(InputError, match="class 'a' has 2 images"):
        hold_out_fifth([(i, 0, "a") for i in images[:2]])


def test_names_of_actions_are_separated_at_capitals():
    assert separated("YoYo") == "Yo_Yo"
    assert separated("HandstandPushups") == "Handstand_Pushups"


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path), float)


def test_the_middle_frame_is_cut_from_a_video(tmp_path):
    videos, label = tmp_path / "videos/UCF-101", 36
    videos.mkdir(parents=True)
    (videos / "v_HandStandPushups_g01_c01.avi").write_bytes(video(label, 0))
    (videos / "v_YoYo_g01_c01.avi").write_bytes(video(label, 0, frames=4))
    cut_frames(tmp_path / "videos", tmp_path / "frames")
    expected = np.asarray(Image.open(io.BytesIO(picture("ucf101", label, 0))), float)
    for name in ("Handstand_Pushups/v_HandStandPushups", "Yo_Yo/v_YoYo"):
        found = pixels(tmp_path / f"frames/{name}_g01_c01.jpg")
        assert np.abs(found - expected).mean() < 20  # a black frame differs by 100 or more
    (videos / "v_Punch_g01_c01.avi").write_bytes(b"no video")
    with pytest.raises(InputError, match=r"v_Punch_g01_c01.avi: not readable as a video"):
        cut_frames(tmp_path / "videos", tmp_path / "frames")
    with pytest.raises(InputError, match=r"holds no videos named v_\*\.avi"):
        cut_frames(tmp_path / "frames", tmp_path / "none")


def test_cut_frames_may_replace_the_published_ones(tmp_path):
    small, folder = Small(classes=2, images=10), tmp_path / "small" / "ucf101"
    folder.mkdir(parents=True)
    sizes = BUILDERS["ucf101"](folder, small)
    ucf101_videos(folder, small)
    sources = write_sources(folder.parent)
    published = get("ucf101", tmp_path / "published", sources, folder, sizes=sizes)
    cut = get("ucf101", tmp_path / "cut", sources, folder, sizes=sizes, frames="cut")
    assert cut.equals(published)
    receipt = read_json(tmp_path / "cut/ucf101/receipt.json")
    assert receipt["options"]["frames"] == "cut"
    assert "UCF101_videos.zip" in receipt["files"]
    assert "UCF-101-midframes.zip" not in receipt["files"]


def imagenet_folder(folder: Path, flat: bool) -> Path:
    """An unpacked copy of two classes; validation images are `flat`, or in a folder per wnid."""
    for label, wnid in enumerate(list(IMAGENET)[:2]):
        for split, images in (("train", range(3)), ("val", range(2))):
            for number in images:
                name = f"ILSVRC2012_val_{2 * number + label + 1:08d}.JPEG"
                place = folder / split / ("" if flat and split == "val" else wnid)
                place.mkdir(parents=True, exist_ok=True)
                data = picture("imagenet", label, 10 + number if split == "val" else number)
                (place / (name if split == "val" else f"{wnid}_{number}.JPEG")).write_bytes(data)
    return folder


def test_imagenet_is_read_from_its_archives(fetch, tmp_path, archives):
    manifest = fetch("imagenet")  # without the option `source`, the archives lie in `manual`
    assert names_of(manifest) == list(IMAGENET.values())
    assert set(manifest.split) == {"train", "test"}
    # The devkit does not number the classes in the order of their labels.
    for row in manifest[manifest.split == "test"].groupby("label").first().itertuples():
        expected = Image.open(io.BytesIO(picture("imagenet", row.Index, EVERY_CLASS.images)))
        found = Image.open(tmp_path / "imagenet/images" / row.image)
        assert np.array_equal(np.asarray(expected), np.asarray(found))


@pytest.fixture
def two_classes(tmp_path):
    """A function that gets ImageNet's first two classes from a folder, and the folder with their
    devkit and class names.
    """
    official = tmp_path / "table" / "imagenet"
    official.mkdir(parents=True)
    BUILDERS["imagenet"](official, Small(classes=2))
    sources = write_sources(tmp_path / "table")

    def got(source: Path, test: int = 4) -> pd.DataFrame:
        sizes = {"train": 6, "val": 0, "test": test}
        return get("imagenet", tmp_path, sources, official, source=str(source), sizes=sizes)

    return got, official


def test_imagenet_is_read_from_a_folder(two_classes, tmp_path):
    got, _ = two_classes
    folder = imagenet_folder(tmp_path / "ilsvrc", flat=False)
    manifest = got(folder)
    assert names_of(manifest) == ["tench", "goldfish"]
    assert manifest.split.value_counts().to_dict() == {"train": 6, "test": 4}
    assert got(folder).equals(manifest)
    assert len(list(folder.rglob("*.JPEG"))) == 10  # the user's files are still there
    coop = tmp_path / "coop"
    coop.mkdir()
    (coop / "images").symlink_to(folder)
    (coop / "classnames.txt").write_text("".join(f"{w} a {n}\n" for w, n in IMAGENET.items()))
    assert names_of(got(coop)) == ["a tench", "a goldfish"]


def test_imagenets_validation_images_are_sorted_by_the_devkit(two_classes, tmp_path):
    got, official = two_classes
    folder = imagenet_folder(tmp_path / "ilsvrc", flat=True)
    with pytest.raises(InputError, match=r"not in folders named by wnid, and ILSVRC2012_"):
        got(folder)
    shutil.copy(official / "ILSVRC2012_devkit_t12.tar.gz", folder)
    with pytest.raises(InputError, match="4 validation images, but 20 labels"):
        got(folder)
    first = folder / "val/ILSVRC2012_val_00000001.JPEG"
    for number in range(5, 21):
        shutil.copy(first, first.with_name(f"ILSVRC2012_val_{number:08d}.JPEG"))
    manifest = got(folder, test=20)
    test = manifest[manifest.split == "test"]
    assert test[test.image.str.endswith("00000002.JPEG")].label.tolist() == [1]
    assert len(list((folder / "val").iterdir())) == 20


def test_an_archive_of_imagenet_is_verified(fetch, archives, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(archives / "imagenet", copy)
    with (copy / "ILSVRC2012_img_val.tar").open("ab") as file:
        file.write(b"more")
    with pytest.raises(InputError, match=r"copy/ILSVRC2012_img_val.tar: has \d+ bytes, expected"):
        fetch("imagenet", source=str(copy))


def test_without_imagenet_the_user_is_told_which_files_to_put_where(archives, tmp_path):
    with pytest.raises(InputError) as caught:
        get("imagenet", tmp_path, archives / "sources.yaml", tmp_path)
    for words in ("register at image-net.org", "{imagenet: {source: FOLDER}}", "train/", ".tar"):
        assert words in str(caught.value)


def own_images(folder: Path, names=("cat", "big dog"), count: int = 10) -> Path:
    """Write a user's folder of images, with a file among them that is not an image."""
    class_folders(folder, names, count, ".JPG")
    for name in names:
        (folder / name / "notes.txt").write_text("no image")
    return folder


TEMPLATE = "a photo of a {}."


def test_an_own_folder_is_split(fetch, tmp_path):
    folder = own_images(tmp_path / "own")
    manifest = fetch("mine", folder=str(folder), template=TEMPLATE)
    assert names_of(manifest) == ["big dog", "cat"]
    assert manifest.split.value_counts().to_dict() == {"train": 10, "val": 4, "test": 6}
    assert fetch("mine", folder=str(folder), template=TEMPLATE).equals(manifest)
    # Getting it again removed only the link, none of the user's images.
    assert (tmp_path / "mine/images").is_symlink()
    assert len(list(folder.rglob("*.JPG"))) == 20


def test_an_own_folder_may_have_a_folder_per_split(fetch, tmp_path):
    own_images(tmp_path / "own/train", count=3)
    own_images(tmp_path / "own/test", count=2)
    manifest = fetch("given", folder=str(tmp_path / "own"), template=TEMPLATE)
    assert manifest.split.value_counts().to_dict() == {"train": 6, "test": 4}
    assert names_of(manifest) == ["big dog", "cat"]
    assert manifest.image[0] == "train/big dog/0.JPG"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda folder: shutil.rmtree(folder), "no such folder"),
        (lambda folder: (folder / "x.jpg").write_bytes(b""), r"x.jpg: lies in no class folder"),
        (
            lambda folder: shutil.rmtree(folder / "cat/../cat") or (folder / "cat").mkdir(),
            "class 'cat' has 0 images",
        ),
        (
            lambda folder: (
                [shutil.rmtree(f) for f in folder.iterdir()] and (folder / "train").mkdir()
            ),
            "holds train, but no folder test; add one, or split the images in train at random",
        ),
    ],
)
def test_a_folder_that_is_not_a_data_set_is_refused(fetch, tmp_path, change, sentence):
    folder = own_images(tmp_path / "mine")
    change(folder)
    with pytest.raises(InputError, match=sentence):
        fetch("own", folder=str(folder), template=TEMPLATE)


def test_the_folder_in_which_the_link_would_lie_is_refused(fetch, tmp_path):
    own_images(tmp_path / "mine")
    with pytest.raises(InputError, match="is where ptnl puts this data set"):
        fetch("mine", folder=str(tmp_path / "mine"), template=TEMPLATE)


@pytest.fixture
def table(tmp_path):
    """Write a user's manifest (CSV, Parquet) of the images of `own_images`; returns options."""
    folder = own_images(tmp_path / "mine")

    def written(suffix: str = ".csv", **columns) -> dict:
        names = [name for name in ("cat", "big dog") for _ in range(10)]
        frame = pd.DataFrame({"image": [f"{n}/{i % 10}.JPG" for i, n in enumerate(names)]})
        for column, values in columns.items():
            frame[column] = [values[n] if isinstance(values, dict) else values for n in names]
        path = tmp_path / f"table{suffix}"
        frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path)
        return {"manifest": str(path), "images": str(folder), "template": TEMPLATE}

    return written


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize(
    ("columns", "names"),
    [
        ({"class_name": {"cat": "cat", "big dog": "dog"}}, ["cat", "dog"]),
        ({"label": {"cat": "None", "big dog": "007"}}, ["007", "None"]),
        (
            {"label": {"cat": 1, "big dog": 0}, "class_name": {"cat": "a", "big dog": "b"}},
            ["b", "a"],
        ),
    ],
)
def test_an_own_table_gives_names_and_a_split(fetch, table, suffix, columns, names):
    manifest = fetch("tabled", **table(suffix, **columns))
    assert names_of(manifest) == names
    assert manifest.split.value_counts().to_dict() == {"train": 10, "val": 4, "test": 6}


def test_an_own_table_may_give_the_splits(fetch, table):
    own = table(class_name={"cat": "cat", "big dog": "dog"}, split="test")
    rows = pd.read_csv(own["manifest"])
    rows.loc[::2, "split"] = "train"
    rows.to_csv(own["manifest"], index=False)
    manifest = fetch("tabled", **own)
    assert manifest.image.tolist() == [*rows.image[::2], *rows.image[1::2]]


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({}, "needs the columns image and label or class_name"),
        ({"label": ""}, "row 1 has an empty cell"),
        ({"label": "cat", "split": "dev"}, "row 1: split is 'dev', not one of train, val, test"),
        ({"label": "cat", "split": "train"}, "there are no test images"),
        (
            {"label": "one", "class_name": "cat"},
            "row 1: label 'one' is no number; beside a class name, labels are",
        ),
        (
            {"label": {"cat": 0, "big dog": 2}, "class_name": {"cat": "a", "big dog": "b"}},
            "labels are 0, 2 instead of 0 to 1",
        ),
        ({"label": {"cat": 0, "big dog": 1}, "class_name": "a"}, "class 'a' has several labels"),
        ({"label": 0, "class_name": {"cat": "a", "big dog": "b"}}, "label 0 has several names"),
    ],
)
def test_a_mistake_in_a_table_is_refused(fetch, table, columns, sentence):
    with pytest.raises(InputError, match=sentence):
        fetch("tabled", **table(**columns))


def test_an_image_that_is_listed_twice_is_refused(fetch, table):
    own = table(label="cat")
    path = Path(own["manifest"])
    path.write_text(path.read_text() + "cat/3.JPG,cat\n")
    with pytest.raises(InputError, match=r"rows 4 and 21 are the same image, cat/3\.JPG"):
        fetch("tabled", **own)


def test_a_missing_image_is_named(fetch, table):
    own = table(label="cat")
    path = Path(own["manifest"])
    path.write_text(path.read_text().replace("cat/3.JPG", "cat/33.JPG"))
    with pytest.raises(InputError, match=r"cat/33.JPG: missing; after `ptnl data refresh tabled`"):
        fetch("tabled", **own)


def test_all_data_sets_of_the_paper_are_there_under_its_titles():
    assert set(published().dataset) == set(EIGHT)
    assert [DATASETS[name].title for name in EIGHT] == [
        *("ImageNet", "Caltech101", "OxfordPets", "Flowers102", "Food101", "FGVCAircraft"),
        *("DTD", "UCF101"),
    ]
    assert title_of("my_birds") == "My birds"
    assert in_order(["zebra", "dtd", "icons", "apes", "imagenet", "dtd"]) == [
        *("icons", "imagenet", "dtd", "apes", "zebra"),
    ]


def test_the_papers_data_sets_fill_its_layouts():
    sizes = {number: len(shown(table, EIGHT)) for number, table in TABLES.items()}
    assert sizes == {1: 4, 2: 4, 3: 8, 4: 4, 5: 8, 6: 7, 7: 7, 8: 7, 9: 7, 10: 7, 11: 7}
    sizes = {number: len(shown(figure, EIGHT)) for number, figure in FIGURES.items()}
    assert sizes == {1: 2, 2: 4, 4: 4, 5: 4, 6: 2, 8: 7, 9: 7, 10: 7, 11: 7}
    assert shown(TABLES[3], in_order(EIGHT)) == list(EIGHT)
    assert set(FOUR) < set(SEVEN) < set(EIGHT)


def test_templates_are_those_of_coop():
    """They are those of CoOp's zero-shot baseline (trainers/zsclip.py)."""
    assert {name: DATASETS[name].template for name in EIGHT} == {
        "imagenet": "a photo of a {}.",
        "caltech101": "a photo of a {}.",
        "oxford_pets": "a photo of a {}, a type of pet.",
        "flowers102": "a photo of a {}, a type of flower.",
        "food101": "a photo of {}, a type of food.",
        "fgvc_aircraft": "a photo of a {}, a type of aircraft.",
        "dtd": "{} texture.",
        "ucf101": "a photo of a person doing {}.",
    }
