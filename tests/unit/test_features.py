"""Image features: the same as the model's own, in the order of the images, and checked if read."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from torch import nn

from ptnl.errors import InputError
from ptnl.features import encode as features
from ptnl.features.encode import ImageEncoder, encoded_batches, prepared, stacked
from ptnl.features.images import read_pixels
from ptnl.io import write_array
from ptnl.provenance import names_digest
from ptnl.training.run_files import class_names_of, open_features
from tests.unit.pictures import photograph, tensor


@pytest.fixture
def pictures(tmp_path):
    stream = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    for path in paths:
        Image.fromarray(stream.integers(0, 256, (48, 40, 3), dtype=np.uint8)).save(path)
    return paths


def encode(backbone, paths, threads: int = 1) -> np.ndarray:
    return np.concatenate(list(encoded_batches(ImageEncoder(backbone), paths, threads)))


def test_features_equal_those_of_the_image_encoder_in_order(tiny_backbone, pictures):
    encoded = encode(tiny_backbone, pictures, threads=2)
    assert encoded.dtype == np.float16
    transform = tiny_backbone.transform
    batch = torch.stack([transform(Image.open(path)) for path in pictures])
    expected = tiny_backbone.model.encode_image(batch).numpy()
    np.testing.assert_allclose(encoded, expected, rtol=5e-3, atol=5e-3)


def test_a_batch_lies_in_memory_as_decoding_leaves_its_images(pictures):
    images = [prepared(read_pixels(path), 32, PreprocessCfg()) for path in pictures]
    batch = stacked(images)
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(batch, torch.stack(images))


def levels_apart(image: Image.Image, size: int, preprocess: PreprocessCfg) -> torch.Tensor:
    """By how many of 255 levels `prepared` differs from open_clip's transform of an image."""
    grey = replace(preprocess, size=size, mean=(0.0,) * 3, std=(1.0,) * 3)
    plain = (255 * image_transform_v2(grey, is_train=False)(image)).round().int()
    return (prepared(tensor(image), size, preprocess).int() - plain).abs()


@pytest.mark.parametrize(("height", "width"), [(375, 500), (500, 333), (224, 224)])
@pytest.mark.parametrize("size", [224, 64])
def test_the_crop_equals_clips_own_within_one_level_of_255(height, width, size):
    image, preprocess = photograph(0, height, width), PreprocessCfg()
    difference = levels_apart(image, size, preprocess)
    assert difference.max() <= 1
    assert difference.float().mean() < 0.01
    if (height, width) == (size, size):
        assert difference.max() == 0


@pytest.mark.parametrize(
    "preprocess",
    [PreprocessCfg(resize_mode="squash"), PreprocessCfg(interpolation="bilinear")],
)
def test_the_crop_equals_that_of_other_transforms(preprocess):
    assert levels_apart(photograph(0, 375, 500), 224, preprocess).max() <= 1


def test_an_unknown_transform_is_refused():
    with pytest.raises(InputError, match="resized by 'longest'"):
        prepared(torch.zeros(3, 8, 9), 4, PreprocessCfg(resize_mode="longest"))


def test_batches_fit_the_budget(tiny_backbone, pictures, monkeypatch):
    whole = encode(tiny_backbone, pictures)
    # Bytes of an image, and of the 16 channels of its patches.
    needs = 4 * (3 * 32 * 32 + 16 * 2 * 2)
    monkeypatch.setitem(features.BATCH_BYTES, "cpu", 2 * needs)
    encoder = ImageEncoder(tiny_backbone)
    assert encoder.dimension == 16
    assert encoder.batch == 2
    parts = list(encoded_batches(encoder, pictures))
    assert [len(part) for part in parts] == [2, 2, 1]
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=2e-3, atol=2e-3)
    monkeypatch.setitem(features.BATCH_BYTES, "cpu", 1)
    assert ImageEncoder(tiny_backbone).batch == 1


def test_more_images_than_a_batch_are_encoded_in_parts(tiny_backbone, monkeypatch):
    pixels = torch.stack([tensor(photograph(i, 32, 32)) for i in range(5)])
    whole = ImageEncoder(tiny_backbone)(pixels)
    monkeypatch.setitem(features.BATCH_BYTES, "cpu", 1)
    seen = []
    hook = tiny_backbone.model.visual.register_forward_hook(
        lambda layer, inputs, output: seen.append(len(output))
    )
    apart = ImageEncoder(tiny_backbone)(pixels)
    hook.remove()
    assert seen == [1] * 6  # the first measures what an image needs
    torch.testing.assert_close(apart.float(), whole.float(), rtol=2e-3, atol=2e-3)


def test_measuring_leaves_no_hooks(tiny_backbone):
    ImageEncoder(tiny_backbone)
    layers: list[nn.Module] = list(tiny_backbone.model.modules())
    assert not any(layer._forward_hooks for layer in layers)


def test_an_unreadable_image_is_named(tiny_backbone, pictures):
    pictures[3].write_bytes(pictures[3].read_bytes()[:60])
    with pytest.raises(InputError, match=r"3\.png: not readable as an image"):
        encode(tiny_backbone, pictures)
    pictures[3].unlink()
    with pytest.raises(InputError, match=r"3\.png: not readable as an image"):
        encode(tiny_backbone, pictures)


def test_features_that_do_not_fit_the_manifest_are_refused(tmp_path):
    def written(numbers: np.ndarray, names: str = "abc") -> Path:
        path = tmp_path / "f.npy"
        write_array(numbers, path, images=names_digest(names))
        return path

    def read_features(path: Path, names: str) -> torch.Tensor:
        return open_features(path, names)(torch.arange(len(names)))

    path = written(np.ones((3, 2), np.float16))
    assert read_features(path, "abc").shape == (3, 2)
    with pytest.raises(InputError, match=r"f\.npy: 3 features for 4 images"):
        read_features(path, "abcd")
    with pytest.raises(InputError, match=r"f\.npy: damaged, .* other images, or in another order"):
        read_features(path, "acb")
    with pytest.raises(InputError, match=r"f.npy: features that are not finite; .*float32"):
        read_features(written(np.array([[1, np.inf]], np.float16), "a"), "a")
    with pytest.raises(InputError, match=r"f\.npy: damaged, .* image 2 are all zero"):
        read_features(written(np.array([[1, 2], [0, 0]], np.float16), "ab"), "ab")
    for numbers, sentence in (
        (np.ones((3, 2), np.float32), "float32 of 2 dimensions, not float16 of 2"),
        (np.ones((1, 3, 2), np.float16), "float16 of 3 dimensions, not float16 of 2"),
    ):
        with pytest.raises(InputError, match=sentence):
            read_features(written(numbers), "abc")
    np.save(path, np.ones((3, 2), np.float16))
    with pytest.raises(InputError, match=r"f\.npy: damaged, its checksum"):
        read_features(path, "abc")


def test_a_label_without_images_is_refused():
    manifest = pd.DataFrame({"label": [0, 2], "class_name": ["a", "c"]})
    with pytest.raises(InputError, match="labels of the manifest are not 0 to 1"):
        class_names_of(manifest)
