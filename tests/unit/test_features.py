import numpy as np
import pytest
import torch
from PIL import Image

from ptnl.errors import InputError
from ptnl.features import encode_images
from ptnl.runs import class_names_of, read_features


@pytest.fixture
def pictures(tmp_path):
    stream = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    for path in paths:
        Image.fromarray(stream.integers(0, 256, (48, 40, 3), dtype=np.uint8)).save(path)
    return paths


def test_features_are_the_image_encoders_in_order(tiny_backbone, pictures):
    features = encode_images(tiny_backbone, pictures, batch_size=2, threads=2)
    assert features.dtype == np.float16
    transform = tiny_backbone.transform
    batch = torch.stack([transform(Image.open(path)) for path in pictures])
    expected = tiny_backbone.model.encode_image(batch).numpy()
    np.testing.assert_allclose(features, expected, rtol=2e-3, atol=2e-3)


def test_an_unreadable_image_is_named(tiny_backbone, pictures):
    pictures[3].write_bytes(pictures[3].read_bytes()[:60])
    with pytest.raises(InputError, match=r"3\.png: not readable as an image"):
        encode_images(tiny_backbone, pictures)
    pictures[3].unlink()
    with pytest.raises(InputError, match=r"3\.png: not readable as an image"):
        encode_images(tiny_backbone, pictures)


def test_features_that_do_not_fit_the_manifest_are_refused(tmp_path):
    np.save(tmp_path / "f.npy", np.zeros((3, 2), np.float16))
    assert read_features(tmp_path / "f.npy", 3).shape == (3, 2)
    with pytest.raises(InputError, match=r"f\.npy: 3 features for 4 images"):
        read_features(tmp_path / "f.npy", 4)
    np.save(tmp_path / "f.npy", np.array([[1, np.inf]], np.float16))
    with pytest.raises(InputError, match=r"f.npy: features that are not finite; .*float32"):
        read_features(tmp_path / "f.npy", 1)


def test_a_label_without_images_is_refused():
    import pandas as pd

    manifest = pd.DataFrame({"label": [0, 2], "class_name": ["a", "c"]})
    with pytest.raises(InputError, match="labels of the manifest are not 0 to 1"):
        class_names_of(manifest)
