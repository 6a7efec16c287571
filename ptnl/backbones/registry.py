"""The registry of backbones. Importing it never imports torch: the Snakefile reads it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backbone:
    """A CLIP model: an open_clip model configuration and weights for it, shipped as assets."""

    title: str  # in tables and figures
    config: str  # open_clip model configuration (JSON)
    weights: str  # safetensors
    # The encoder of `IMAGE_ENCODERS` that `finetune` trains in its place: of its kind, but
    # pre-trained with labels only. Empty where there is none.
    image_encoder: str = ""


@dataclass(frozen=True)
class ImageEncoderSource:
    """A timm model pre-trained with labels only, shipped as assets.

    Without assets it is one that timm knows by its name, and fetches.
    """

    config: str = ""  # in the format of timm's config.json
    weights: str = ""  # safetensors, without the head


BACKBONES = {
    "mini-rn": Backbone("mini-RN", "mini-rn.json", "mini-rn.safetensors", "mini-resnet"),
    "mini-vit": Backbone("mini-ViT", "mini-vit.json", "mini-vit.safetensors"),
}

IMAGE_ENCODERS = {
    "mini-resnet": ImageEncoderSource("mini-resnet.json", "mini-resnet.safetensors"),
    # Supervised on ImageNet-1k and nothing else, for CLIP's RN50 and ViT-B/32.
    "resnet50.tv_in1k": ImageEncoderSource(),
    "vit_base_patch32_224.augreg_in1k": ImageEncoderSource(),
}
