"""The registry of backbones. Importing it never imports torch: the Snakefile reads it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ptnl.errors import InputError


@dataclass(frozen=True)
class Shipped:
    """A model among the package's assets."""

    config: str  # in the format of open_clip's model configurations, or of timm's config.json
    weights: str  # safetensors


@dataclass(frozen=True)
class OpenClip:
    """A CLIP model that is one of open_clip's, or built like one."""

    model: str  # name of a model configuration of open_clip, or a file like one (JSON)
    pretrained: str = ""  # open_clip's tag of the weights; empty where they are a user's own
    weights: str = ""  # a user's file, which is taken instead of the tag's
    sha256: str = ""  # of that file; empty where the user gives none


@dataclass(frozen=True)
class Backbone:
    """A CLIP model by name."""

    title: str  # in tables and figures
    source: Shipped | OpenClip
    # The encoder of `IMAGE_ENCODERS` that `finetune` trains in its place: of its kind, but
    # pre-trained with labels only. Empty where there is none.
    image_encoder: str = ""


@dataclass(frozen=True)
class Timm:
    """A model of timm's, known to it by its name; the Hugging Face Hub has its weights."""

    repository: str


BACKBONES = {
    "RN50": Backbone("RN50", OpenClip("RN50", "openai"), "resnet50.tv_in1k"),
    "ViT-B-32": Backbone(
        "ViT-B/32", OpenClip("ViT-B-32", "openai"), "vit_base_patch32_224.augreg_in1k"
    ),
    "mini-rn": Backbone("mini-RN", Shipped("mini-rn.json", "mini-rn.safetensors"), "mini-resnet"),
    "mini-vit": Backbone("mini-ViT", Shipped("mini-vit.json", "mini-vit.safetensors")),
}

SHIPPED = [name for name, known in BACKBONES.items() if isinstance(known.source, Shipped)]

# Pre-trained with labels only. The shipped one comes without its head.
IMAGE_ENCODERS: dict[str, Shipped | Timm] = {
    "mini-resnet": Shipped("mini-resnet.json", "mini-resnet.safetensors"),
    # Supervised on ImageNet-1k and nothing else, for CLIP's RN50 and ViT-B/32.
    "resnet50.tv_in1k": Timm("timm/resnet50.tv_in1k"),
    "vit_base_patch32_224.augreg_in1k": Timm("timm/vit_base_patch32_224.augreg_in1k"),
}


def shipped(name: str) -> Shipped:
    """The files of a backbone among the package's assets; an `InputError` where it has none."""
    source = BACKBONES[name].source
    if not isinstance(source, Shipped):
        raise InputError(f"{name} is not shipped; `ptnl fetch_backbone` gets its files")
    return source


# What a config may say of where a backbone comes from: the fields of `OpenClip`.
SOURCE_KEYS = ("model", "pretrained", "weights", "sha256")


def backbones_of(config: Mapping[str, Any]) -> dict[str, Backbone]:
    """The registry, with the backbones that a checked config adds or changes."""
    return BACKBONES | {name: _backbone(name, said) for name, said in config["backbones"].items()}


def _backbone(name: str, said: Mapping[str, Any]) -> Backbone:
    """What an entry of the config describes: a model of its own, or changes to the registry's."""
    known = BACKBONES.get(name)
    source = {key: said[key] for key in SOURCE_KEYS if key in said}
    if "model" in source:
        described = Backbone(title_of(name), OpenClip(**source))
    else:
        assert known is not None  # the config was checked
        described = replace(known, source=replace(known.source, **source))
    registered = known.image_encoder if known else ""
    return replace(described, image_encoder=said.get("image_encoder", registered))


def title_of(name: str) -> str:
    """A backbone's title in tables and figures; a name that only a config knows is its own."""
    return BACKBONES[name].title if name in BACKBONES else name


def in_order(names: Iterable[str]) -> list[str]:
    """Names of backbones in the order of the registry, then those that only a config knows."""
    names = list(dict.fromkeys(names))
    return sorted(names, key=[*BACKBONES, *names].index)
