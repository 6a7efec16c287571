"""Augmented views equal torchvision's, and depend only on seed, image and number of the view."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torchvision import transforms as T

from ptnl.errors import InputError
from ptnl.features import encode as features
from ptnl.features.encode import ImageEncoder, encoded_batches
from ptnl.features.views import (
    Augmentation,
    augmented_views,
    crop_boxes,
    encoded_views,
    random_numbers,
)
from ptnl.io import write_array, write_parquet
from ptnl.provenance import names_digest
from ptnl.schemas import VIEW_IMAGES
from ptnl.training.run_files import read_views
from tests.unit.pictures import photograph, tensor

HEIGHT, WIDTH, SIZE = 60, 90, 32
CURRENT, LEGACY = Augmentation(SIZE, False, True), Augmentation(SIZE, True, True)


@pytest.fixture
def pictures(tmp_path):
    names = [f"{i}.png" for i in range(7)]
    for i, name in enumerate(names):
        photograph(i, 40 + i, 50).save(tmp_path / name)
    return tmp_path, names


@pytest.mark.parametrize(("height", "width"), [(60, 90), (90, 60), (64, 64), (10, 200)])
def test_crop_boxes_equal_torchvisions(height, width):
    """`crop_boxes` gets the same uniform numbers as RandomResizedCrop takes from torch's stream."""
    image, same, uniform = torch.empty(3, height, width), [], []
    for seed in range(300):
        stream = torch.manual_seed(seed)
        expected = T.RandomResizedCrop.get_params(image, (0.08, 1.0), (3 / 4, 4 / 3))
        stream.manual_seed(seed)
        numbers = torch.cat([torch.empty(1).uniform_(0, 1) for _ in range(20)]).numpy()
        # torchvision draws area and aspect in turn, and then the position as integers.
        uniform.append(np.concatenate([numbers[0::2], numbers[1::2], [0.5, 0.5, 1.0]]))
        same.append(expected)
    boxes, same = crop_boxes(np.stack(uniform), height, width), np.array(same)
    agree = (boxes[:, 2:] == same[:, 2:]).all(axis=1)
    assert agree.mean() > 0.99  # torchvision rounds in single precision
    if max(height, width) > 10 * min(height, width):  # no box fits, so it is in the middle
        np.testing.assert_array_equal(boxes[agree], same[agree])


def test_crop_boxes_are_spread_evenly_over_the_image():
    boxes = crop_boxes(random_numbers(1, "a.png", 4000), HEIGHT, WIDTH)
    top, left, height, width = boxes.T
    assert (boxes[:, :2] >= 0).all()
    assert (top + height <= HEIGHT).all()
    assert (left + width <= WIDTH).all()
    for place, room in ((top, HEIGHT - height), (left, WIDTH - width)):
        share = (place + 0.5) / (room + 1)  # uniform on (0, 1)
        assert share.mean() == pytest.approx(0.5, abs=4 * math.sqrt(1 / 12 / len(share)))
        assert (place == room).any()
    areas = height * width / (HEIGHT * WIDTH)
    assert areas.min() < 0.1
    assert areas.max() > 0.85  # 8 / 9 is the largest area with an allowed aspect


@pytest.mark.parametrize("augmentation", [CURRENT, LEGACY])
def test_views_equal_those_of_torchvisions_transforms(augmentation):
    """On PIL images; Dassl's old order is squash, flip, crop, and its new one is crop, flip."""
    image, uniform = photograph(), random_numbers(1, "a.png", 40)
    ours = augmented_views(tensor(image), uniform, augmentation)
    assert ours.shape == (40, 3, SIZE, SIZE)
    assert ours.dtype == torch.uint8
    squash = T.Resize((SIZE, SIZE), T.InterpolationMode.BICUBIC)
    source = squash(image) if augmentation.squash_first else image
    boxes = crop_boxes(uniform, source.height, source.width)
    flips = uniform[:, -1] < 0.5
    assert 10 < flips.sum() < 30
    for view, (top, left, height, width), flip in zip(ours, boxes, flips, strict=True):
        crop = (left, top, left + width, top + height)
        peer = source
        if flip and augmentation.squash_first:
            peer = peer.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        peer = peer.crop(crop).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        if flip and not augmentation.squash_first:
            peer = peer.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        difference = (view.int() - tensor(peer).int()).abs()
        assert difference.max() <= 3
        assert difference.float().mean() < 0.6


def test_without_flips_nothing_is_mirrored():
    uniform = random_numbers(1, "a.png", 20)
    plain = augmented_views(tensor(photograph()), uniform, Augmentation(SIZE, False, False))
    flipped = augmented_views(tensor(photograph()), uniform, CURRENT)
    mirrored = uniform[:, -1] < 0.5
    assert torch.equal(plain[~mirrored], flipped[~mirrored])
    assert torch.equal(plain[mirrored].flip(-1), flipped[mirrored])


def test_the_random_numbers_of_a_view_depend_on_seed_image_and_view():
    few, many = random_numbers(3, "a.png", 2), random_numbers(3, "a.png", 50)
    np.testing.assert_array_equal(few, many[:2])
    for other in (random_numbers(4, "a.png", 2), random_numbers(3, "b.png", 2), many[2:4]):
        assert (few != other).all()


def encode(backbone, pictures, *, names=None, seed=1, count=3, threads=1) -> np.ndarray:
    folder, everything = pictures
    parts = encoded_views(
        ImageEncoder(backbone), names or everything, folder, seed, count, CURRENT, threads
    )
    return np.concatenate(list(parts), axis=1)


def test_features_are_those_of_the_augmented_views(tiny_backbone, pictures):
    folder, names = pictures
    encoded = encode(tiny_backbone, pictures, threads=2)
    assert encoded.shape == (3, 7, 16)
    assert encoded.dtype == np.float16
    picture = tensor(Image.open(folder / names[4]).convert("RGB"))
    pixels = augmented_views(picture, random_numbers(1, names[4], 3), CURRENT)
    with torch.inference_mode():
        expected = tiny_backbone.model.encode_image(tiny_backbone.normalise(pixels)).numpy()
    np.testing.assert_allclose(encoded[:, 4], expected, rtol=2e-3, atol=2e-3)


def test_a_view_of_the_whole_image_has_the_plain_features(tiny_backbone, tmp_path):
    photograph(0, 32, 32).save(tmp_path / "a.png")
    (plain,) = encoded_batches(ImageEncoder(tiny_backbone), [tmp_path / "a.png"])
    pixels = tiny_backbone.normalise(tensor(photograph(0, 32, 32))[None])
    with torch.inference_mode():
        view = tiny_backbone.model.encode_image(pixels).numpy()
    np.testing.assert_allclose(view, plain, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("images_together", [2, 1])
def test_the_features_of_a_view_do_not_depend_on_its_batch(
    tiny_backbone, pictures, monkeypatch, images_together
):
    whole = encode(tiny_backbone, pictures)
    # In views; the smaller batch holds fewer than an image has, so those are encoded in parts.
    batch = {2: 7, 1: 2}[images_together]
    budget = features.BATCH_BYTES["cpu"] * batch // ImageEncoder(tiny_backbone).batch
    monkeypatch.setitem(features.BATCH_BYTES, "cpu", budget)
    encoder = ImageEncoder(tiny_backbone)
    assert encoder.batch == batch
    folder, names = pictures
    parts = list(encoded_views(encoder, names[::-1], folder, 1, 3, CURRENT))
    assert [part.shape[1] for part in parts[:-1]] == [images_together] * (len(parts) - 1)
    apart = np.concatenate(parts, axis=1)[:, ::-1]
    np.testing.assert_allclose(apart.astype(float), whole, rtol=2e-3, atol=2e-3)


def test_the_features_of_later_images_do_not_depend_on_earlier_ones(tiny_backbone, pictures):
    whole = encode(tiny_backbone, pictures)
    rest = encode(tiny_backbone, pictures, names=pictures[1][3:])
    np.testing.assert_allclose(rest, whole[:, 3:], rtol=2e-3, atol=2e-3)


def test_every_epoch_trains_on_its_own_views(tiny_backbone, pictures, tmp_path):
    files = []
    for seed in (2, 1):
        encoded = encode(tiny_backbone, pictures, seed=seed)
        write_array(encoded, tmp_path / f"{seed}.npy", images=names_digest(pictures[1]))
        index = tmp_path / f"{seed}.parquet"
        made = {"settings": {"seed": seed}}
        write_parquet(pd.DataFrame({"image": pictures[1]}), index, VIEW_IMAGES, made)
        files.append((tmp_path / f"{seed}.npy", index))
    draws = [pd.DataFrame({"image": ["3.png", "0.png"]}), pd.DataFrame({"image": ["1.png"] * 2})]
    at = read_views(files, [1, 2], draws, torch.device("cpu"))
    first, second = np.load(tmp_path / "1.npy"), np.load(tmp_path / "2.npy")
    for epoch in (0, 2, 4):  # of three views, the fifth epoch uses the second again
        seen = at(epoch)
        assert seen.dtype == torch.float32
        np.testing.assert_array_equal(seen[0], first[epoch % 3][[3, 0]])
        np.testing.assert_array_equal(seen[1], second[epoch % 3][[1, 1]])
    with pytest.raises(InputError, match="no augmented views for seed 3"):
        read_views(files, [3], draws[:1], torch.device("cpu"))
