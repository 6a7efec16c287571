"""The shipped data sets and backbones are as their README describes them."""

import io

import numpy as np
import pandas as pd
import pytest
import torch
from corpus import PERMISSIVE, spoken_name
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file
from selection import (
    SPLITS,
    assign_splits,
    ink_descriptor,
    largest_classes,
    place,
    seen_before,
    without_near_duplicates,
)

from ptnl.backbones.assets import FOLDER, verified
from ptnl.backbones.loading import load_backbone, load_files
from ptnl.backbones.registry import BACKBONES, IMAGE_ENCODERS, SHIPPED, Timm
from ptnl.backbones.text import TOKEN_ROWS
from ptnl.data import DATASETS
from ptnl.data.embedded import IMAGES
from ptnl.errors import InputError
from ptnl.io import read_json, read_parquet

CPU = torch.device("cpu")
CLASSES = {"icons": 24, "symbols": 20}


@pytest.fixture(scope="module", params=CLASSES)
def shipped(request):
    return request.param, read_parquet(verified(f"{request.param}.parquet"), IMAGES)


def test_data_sets_have_enough_images_of_every_class(shipped):
    name, table = shipped
    counts = table.groupby(["class_name", "split"]).size().unstack()
    assert len(counts) == DATASETS[name].classes == CLASSES[name]
    assert tuple(table.groupby("split").size()[list(SPLITS)]) == DATASETS[name].sizes
    assert counts.train.min() >= 16
    assert counts.val.min() >= 4
    assert counts.test.min() >= 16
    assert (table.groupby("label").class_name.nunique() == 1).all()
    assert sorted(table.label.unique()) == list(range(len(counts)))


def test_no_drawing_is_in_two_splits(shipped):
    _, table = shipped
    assert table.image.is_unique
    pictures = [Image.open(io.BytesIO(png)) for png in table.png]
    assert {picture.size for picture in pictures} == {(64, 64)}
    assert table.png.is_unique


def test_near_duplicates_are_found_wherever_they_are_placed():
    ring = Image.new("L", (64, 64), 255)
    ImageDraw.Draw(ring).ellipse((8, 8, 55, 55), outline=0, width=6)
    moved = Image.new("L", (64, 64), 255)
    ImageDraw.Draw(moved).ellipse((12, 2, 59, 49), outline=0, width=6)
    square = Image.new("L", (64, 64), 255)
    ImageDraw.Draw(square).rectangle((8, 8, 55, 55), outline=0, width=6)
    vectors = np.stack([ink_descriptor(picture) for picture in (ring, moved, square)])
    assert list(without_near_duplicates(vectors, 0.98)) == [0, 2]
    assert list(seen_before(vectors[1:], vectors[:1], 0.98)) == [True, False]


def test_licences_are_permissive_and_authors_are_named(shipped):
    _, table = shipped
    assert set(table.license) <= PERMISSIVE
    assert (table.author != "").all()
    credits = (FOLDER / "ATTRIBUTION.md").read_text()
    assert all(f"[{icon_set}]" in credits for icon_set in table.icon_set.unique())


def test_shipped_files_are_small():
    for dataset in CLASSES:
        assert (FOLDER / f"{dataset}.parquet").stat().st_size < 8e6
    for backbone in SHIPPED:
        assert (FOLDER / BACKBONES[backbone].source.weights).stat().st_size < 12e6
    for encoder in IMAGE_ENCODERS.values():
        assert isinstance(encoder, Timm) or (FOLDER / encoder.weights).stat().st_size < 3e6


def test_every_asset_has_its_checksum():
    shipped = {path.name for path in FOLDER.iterdir()} - {"checksums.json", "ATTRIBUTION.md"}
    assert shipped == set(read_json(FOLDER / "checksums.json"))
    for name in shipped:
        verified(name)


@pytest.mark.parametrize("name", SHIPPED)
def test_backbones_have_a_trained_embedding_for_every_token_of_a_class_name(name):
    backbone = load_backbone(name, CPU)
    assert not any(p.requires_grad for p in backbone.model.parameters())
    rows = backbone.model.token_embedding.weight
    for dataset in CLASSES:
        table = read_parquet(verified(f"{dataset}.parquet"), IMAGES)
        for class_name in table.class_name.unique():
            text = DATASETS[dataset].template.format(class_name)
            tokens = backbone.tokenizer.encode(text)
            assert (rows[tokens].abs().sum(dim=1) > 0).all(), text


def test_an_altered_asset_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("ptnl.backbones.assets.FOLDER", tmp_path)
    (tmp_path / "checksums.json").write_text('{"weights": "00"}')
    (tmp_path / "weights").write_text("altered")
    with pytest.raises(InputError, match=r"weights: sha256 is .*, expected 00"):
        verified("weights")
    (tmp_path / "weights").unlink()
    with pytest.raises(InputError, match="weights: not readable"):
        verified("weights")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda w: w.update({TOKEN_ROWS: w[TOKEN_ROWS][:, :8].clone()}), "has shape .* needs"),
        (lambda w: w.pop("ln_final.bias"), "misses the weights 'ln_final.bias'"),
        (lambda w: w.update(extra=torch.zeros(1)), "holds 'extra'"),
    ],
)
def test_weights_of_the_wrong_shape_are_refused(tmp_path, change, sentence):
    source = BACKBONES["mini-rn"].source
    weights = load_file(FOLDER / source.weights)
    change(weights)
    save_file(weights, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=f"w.safetensors: .*{sentence}"):
        load_files("x", FOLDER / source.config, tmp_path / "w.safetensors", CPU)


def test_weights_that_are_not_safetensors_are_refused(tmp_path):
    (tmp_path / "w.safetensors").write_bytes(b"pickle")
    with pytest.raises(InputError, match=r"w.safetensors: not readable as safetensors"):
        load_files("x", FOLDER / "mini-rn.json", tmp_path / "w.safetensors", CPU)


def test_a_placed_drawing_stays_whole():
    picture = Image.new("L", (64, 64), 0)
    for rank in ("0" * 64, "f" * 64, "13579bdf2468ace0" * 4):
        placed = np.asarray(place(picture, 44, rank))
        assert placed.shape == (64, 64)
        assert (placed == 0).sum() == 44 * 44
    assert place(picture, 64, "0" * 64) is picture


@pytest.mark.parametrize(
    ("icon", "name"),
    [
        ("arrow-left-circle-24-filled", "arrow left circle"),
        ("outline-home", "home"),
        ("home-2", "home"),
        ("battery-full-line", "battery full"),
        ("bold", "bold"),
    ],
)
def test_names_of_icons_become_spoken_names(icon, name):
    assert spoken_name(icon, suffixes=("24-filled",)) == name


def test_splits_keep_their_minimum():
    shares, minimum = {"train": 0.45, "val": 0.1, "test": 0.45}, {"train": 16, "val": 4, "test": 28}
    with pytest.raises(ValueError, match="47 drawings are fewer than the 48"):
        assign_splits(47, shares, minimum)
    for count in (48, 60, 200):
        splits = assign_splits(count, shares, minimum)
        assert len(splits) == count
        assert all(splits.count(split) >= least for split, least in minimum.items())


def test_the_classes_with_the_most_drawings_are_chosen():
    rows = pd.Series(["b"] * 3 + ["a"] * 3 + ["c"] * 5 + ["d"])
    assert largest_classes(rows, 2, 2) == ["c", "a"]
    assert largest_classes(rows, 2, 9) == ["c", "a", "b"]
