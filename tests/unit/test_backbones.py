"""Backbones: what a config may say of them, which models can be used, how they are loaded."""

import open_clip
import pytest
import torch
from open_clip.constants import INCEPTION_MEAN
from open_clip.transformer import QuickGELU
from PIL import Image

from ptnl.backbones.configuration import build, configuration_of, outline
from ptnl.backbones.loading import load_files
from ptnl.backbones.registry import (
    BACKBONES,
    Backbone,
    OpenClip,
    backbones_of,
    in_order,
    title_of,
)
from ptnl.backbones.text import read_text_backbone
from ptnl.cli.fetch_backbone import main as fetch_backbone
from ptnl.errors import InputError
from ptnl.io import read_json, write_json
from ptnl.text import encode_texts
from tests.backbones import configuration, random_model, write_weights

CPU = torch.device("cpu")


def test_a_config_changes_the_registry_and_adds_to_it():
    own = {"model": "RN101", "pretrained": "openai", "image_encoder": "mini-resnet"}
    config = {"backbones": {"mini-rn": {}, "RN50": {"weights": "w.pt"}, "mine": own}}
    backbones = backbones_of(config)
    assert backbones.keys() == BACKBONES.keys() | {"mine"}
    assert backbones["mini-rn"] == BACKBONES["mini-rn"]
    # With other weights the tag stays, because activation and transform depend on it.
    assert backbones["RN50"].source == OpenClip("RN50", "openai", "w.pt")
    assert backbones["RN50"].image_encoder == BACKBONES["RN50"].image_encoder
    assert backbones["mine"] == Backbone("mine", OpenClip("RN101", "openai"), "mini-resnet")


def test_a_model_replaces_that_of_the_registry():
    config = {"backbones": {"RN50": {"model": "RN50x4", "weights": "w.pt", "sha256": "0" * 64}}}
    assert backbones_of(config)["RN50"] == Backbone(
        "RN50", OpenClip("RN50x4", "", "w.pt", "0" * 64), BACKBONES["RN50"].image_encoder
    )


def test_backbones_have_titles_and_an_order():
    assert (title_of("ViT-B-32"), title_of("mine")) == ("ViT-B/32", "mine")
    names = iter(["mine", "mini-rn", "yours", "ViT-B-32", "RN50", "mine"])
    assert in_order(names) == ["RN50", "ViT-B-32", "mini-rn", "mine", "yours"]


@pytest.mark.parametrize(
    ("model", "tag", "quick"),
    [
        ("RN50", "openai", True),
        ("ViT-B-32", "openai", True),
        ("ViT-B-32", "laion2b_s34b_b79k", False),
        ("ViT-B-32-quickgelu", "laion400m_e32", True),
    ],
)
def test_the_tag_decides_which_gelu(model, tag, quick):
    built = outline(configuration_of(OpenClip(model, tag)))
    gelus = [m for m in built.modules() if isinstance(m, (QuickGELU, torch.nn.GELU))]
    assert {isinstance(gelu, QuickGELU) for gelu in gelus} == {quick}
    assert len(gelus) == (12 if model == "RN50" else 24)


def test_own_weights_use_the_gelu_of_their_model():
    for model, quick in {"ViT-B-32": False, "ViT-B-32-quickgelu": True}.items():
        config = configuration_of(OpenClip(model, weights="w.pt"))
        assert config["model_cfg"].get("quick_gelu", False) is quick


@pytest.mark.parametrize("name", ["RN50", "ViT-B-32"])
def test_backbones_of_the_registry_can_be_used(name):
    config = configuration_of(BACKBONES[name].source)
    assert config["model_cfg"]["quick_gelu"] is True
    assert config["preprocess_cfg"]["resize_mode"] == "shortest"
    tag = open_clip.get_pretrained_cfg(name, "openai")
    assert len(tag["url"].split("/")[-2]) == 64  # the checksum is in the URL


def test_a_causal_text_tower_of_another_model_can_be_used():
    assert isinstance(
        outline(configuration_of(OpenClip("EVA02-B-16", "merged2b_s8b_b131k"))), open_clip.CLIP
    )


@pytest.mark.parametrize(
    ("model", "tag", "reason"),
    [
        ("coca_ViT-B-32", "laion2b_s13b_b90k", "coca_ViT-B-32: .* captioner"),
        ("roberta-ViT-B-32", "laion2b_s12b_b32k", "its text tower is roberta-base, of Hugging"),
        ("ViT-B-16-SigLIP", "webli", "its tokenizer is timm/ViT-B-16-SigLIP, and not CLIP's"),
        ("ViT-H-14-CLIPA", "datacomp1b", "its tokenizer is bert-base-uncased"),
        ("ViT-B-32", "opanai", "open_clip has no weights 'opanai' of it; it has openai, laion400m"),
        ("ViT-B-33", "openai", "open_clip has no such model"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused_by_name(model, tag, reason):
    with pytest.raises(InputError, match=reason) as caught:
        configuration_of(OpenClip(model, tag))
    assert str(caught.value).startswith(f"{model}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"no_causal_mask": True}, "not causal"),
        ({"pool_type": "last"}, "read by 'last', and not at the end token"),
        ({"vocab_size": 32000}, "its vocabulary has 32000 tokens"),
        (
            {"proj_type": "none", "qk_norm": True},
            "a text tower with proj_type, qk_norm is not CLIP's",
        ),
        ({"tokenizer_kwargs": {"clean": "whitespace"}}, "a text tower with tokenizer_kwargs"),
        ({"colour": "red"}, "a text tower with colour"),
    ],
)
def test_an_own_configuration_is_checked(tmp_path, changes, reason):
    config = configuration("ViT-B-32", small=True)
    path = tmp_path / "own.json"
    write_json({**config, "text_cfg": {**config["text_cfg"], "pool_type": "argmax"}}, path)
    assert configuration_of(OpenClip(str(path), weights="w"))["model_cfg"] == config
    config["text_cfg"] |= changes
    write_json(config, path)
    with pytest.raises(InputError, match=f"own.json: .*{reason}"):
        configuration_of(OpenClip(str(path), weights="w"))


def test_a_model_that_is_not_a_clip_is_refused(tmp_path):
    path = tmp_path / "own.json"
    config = configuration("ViT-B-32", small=True)
    write_json({**config, "init_logit_bias": -10}, path)
    with pytest.raises(InputError, match=r"own.json: .*a model with init_logit_bias is not CLIP"):
        configuration_of(OpenClip(str(path), weights="w"))
    write_json({**config, "vision_cfg": {"colour": "red"}}, path)
    with pytest.raises(InputError, match=r"own.json: .*open_clip's CLIP refuses it .*colour"):
        configuration_of(OpenClip(str(path), weights="w"))


def test_a_configuration_file_takes_no_tag_and_must_be_complete(tmp_path):
    write_json({"embed_dim": 3}, tmp_path / "own.json")
    with pytest.raises(InputError, match=r"own.json: a model of your own has no tag 'openai'"):
        configuration_of(OpenClip(str(tmp_path / "own.json"), "openai"))
    with pytest.raises(InputError, match=r"own.json: .*misses text_cfg, vision_cfg"):
        configuration_of(OpenClip(str(tmp_path / "own.json"), weights="w"))


CHECKPOINT = ("open_clip_config.json", "open_clip_model.safetensors", "receipt.json")


def fetch(folder, *options) -> tuple:
    """Call `fetch_backbone`; returns the paths of the configuration, weights and receipt."""
    left = [folder / name for name in CHECKPOINT]
    names = ("--config", "--weights", "--receipt")
    places = [word for option in zip(names, map(str, left), strict=True) for word in option]
    folders = ["--downloads", str(folder), "--manual", str(folder / "manual")]
    fetch_backbone(["--backbone", "own", *places, *folders, *options])
    return tuple(left)


@pytest.mark.parametrize("model", ["RN50", "ViT-B-32"])
def test_a_fetched_backbone_computes_what_open_clip_computes(tmp_path, model):
    config = configuration(model, small=True)
    config["quick_gelu"] = True
    squashed = {"mean": list(INCEPTION_MEAN), "resize_mode": "squash", "interpolation": "bilinear"}
    described = tmp_path / "own.json"
    write_json({"model_cfg": config, "preprocess_cfg": squashed}, described)
    write_weights(random_model(config), tmp_path / "own.safetensors")
    made, weights, receipt = fetch(
        tmp_path / "out", "--model", str(described), "--file", str(tmp_path / "own.safetensors")
    )
    assert read_json(receipt)["source"] == str(tmp_path / "own.safetensors")
    ours = load_files("own", made, weights, CPU)
    theirs, _, transform = open_clip.create_model_and_transforms(f"local-dir:{made.parent}")
    image = Image.effect_mandelbrot((90, 70), (-2, -1.5, 1, 1.5), 50).convert("RGB")
    assert torch.equal(ours.transform(image), transform(image))
    pixels = transform(image)[None]
    theirs.eval()
    with torch.no_grad():
        assert torch.equal(ours.encode_image(pixels), theirs.encode_image(pixels))
        texts = ["a dog", "an old photo of a yorkshire terrier, a type of pet."]
        expected = theirs.encode_text(open_clip.get_tokenizer(f"local-dir:{made.parent}")(texts))
    alone = read_text_backbone("own", made, weights, CPU)
    for tower in (ours.tower, alone.tower):
        torch.testing.assert_close(encode_texts(tower, texts), expected)
    assert alone.logit_scale == ours.logit_scale
    assert ours.dimensions == expected.shape[1]
    assert {p.dtype for p in ours.model.parameters()} == {torch.float32}


def test_normalise_does_what_the_transform_does(tmp_path):
    config = {
        "model_cfg": configuration("ViT-B-32", small=True),
        "preprocess_cfg": {"std": [1, 2, 4]},
    }
    write_json(config, tmp_path / "config.json")
    write_weights(build(config), tmp_path / "w.safetensors")
    backbone = load_files("own", tmp_path / "config.json", tmp_path / "w.safetensors", CPU)
    white = Image.new("RGB", (64, 64), "white")
    pixels = torch.full((3, 64, 64), 255, dtype=torch.uint8)
    torch.testing.assert_close(backbone.normalise(pixels), backbone.transform(white))


def test_weights_of_another_model_are_refused(tmp_path):
    write_json(configuration("ViT-B-32", small=True), tmp_path / "own.json")
    weights = tmp_path / "rn.safetensors"
    write_weights(random_model(configuration("RN50", small=True)), weights)
    options = ["--model", str(tmp_path / "own.json"), "--file", str(weights)]
    with pytest.raises(InputError, match=r"rn.safetensors: (holds|misses)"):
        fetch(tmp_path, *options)
    with pytest.raises(InputError, match=r"rn.safetensors: sha256 is .*, expected 0{64}"):
        fetch(tmp_path, *options, "--sha256", "0" * 64)
    assert not any((tmp_path / name).exists() for name in CHECKPOINT)
