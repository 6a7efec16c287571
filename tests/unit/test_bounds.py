"""A configuration from which no model can be built is refused before one is built."""

import copy
import json

import pytest

from ptnl.backbones.configuration import build, configuration_of, preprocessing
from ptnl.backbones.registry import OpenClip
from ptnl.errors import InputError
from tests.conftest import TINY


def written(path, change) -> OpenClip:
    """Write the tiny model's configuration with a change; returns the model of that file."""
    config = {"model_cfg": copy.deepcopy(TINY), "preprocess_cfg": {"mean": [0.5] * 3}}
    path.write_text(json.dumps(change(config) or config))
    return OpenClip(str(path), weights="w.pt")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: c["model_cfg"]["text_cfg"].update(layers=10**6), "text_cfg.layers is 1000000"),
        (lambda c: c["model_cfg"]["vision_cfg"].update(layers=[2, 2, 10**6, 2]), "layers is 1000"),
        (lambda c: c["model_cfg"]["vision_cfg"].update(width=-16), "vision_cfg.width is -16"),
        (lambda c: c["model_cfg"]["vision_cfg"].update(patch_size=0), "patch_size is 0"),
        (lambda c: c["model_cfg"]["text_cfg"].update(heads=2.5), "text_cfg.heads is 2.5"),
        (lambda c: c["model_cfg"]["text_cfg"].update(heads=3), "width 32 does not divide by 3"),
        (lambda c: c["model_cfg"]["text_cfg"].update(mlp_ratio=1e9), "mlp_ratio is 1000000000.0"),
        (lambda c: c["model_cfg"].update(embed_dim=True), "embed_dim is True"),
        (lambda c: c["model_cfg"].update(embed_dim="wide"), "embed_dim is 'wide'"),
        (lambda c: c["model_cfg"].update(vision_cfg=[1]), r"vision_cfg is \[1\], and not a table"),
        (lambda c: c["model_cfg"].pop("text_cfg") and None, "misses text_cfg"),
        (lambda c: c["model_cfg"]["vision_cfg"].update(image_size=[32, 64]), "not square, 32 x 64"),
        (lambda c: c["preprocess_cfg"].update(std=[0, 1, 1]), "preprocess_cfg.std is"),
        (lambda c: c["preprocess_cfg"].update(mean=[float("nan")] * 3), "preprocess_cfg.mean is"),
        (lambda c: c["preprocess_cfg"].update(mean=0.5), "preprocess_cfg.mean is 0.5"),
        (lambda c: c["preprocess_cfg"].update(interpolation="random"), "interpolation is 'random'"),
        (lambda c: c["preprocess_cfg"].update(resize_mode="longest"), "resize_mode is 'longest'"),
        (lambda c: [1, 2], "holds no configuration"),
        (lambda c: {"model_cfg": 3}, "model_cfg is 3, and not a table"),
    ],
)
def test_a_configuration_that_cannot_be_built_is_refused(tmp_path, change, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        configuration_of(written(tmp_path / "c.json", change))
    assert "c.json" in str(caught.value)


def test_a_local_folder_keeps_its_preprocessing(tmp_path):
    written(tmp_path / "open_clip_config.json", lambda config: None)
    config = configuration_of(OpenClip(f"local-dir:{tmp_path}", weights="w.pt"))
    assert list(preprocessing(config).mean) == [0.5] * 3
    assert build(config).visual.image_size in (32, (32, 32))


def test_a_hugging_face_repository_is_refused_with_advice(tmp_path):
    with pytest.raises(InputError, match="say model: local-dir:FOLDER"):
        configuration_of(OpenClip("hf-hub:owner/model", weights="w.pt"))
