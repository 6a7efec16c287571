"""The registry of backbones. Importing it never imports torch: the Snakefile reads it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Backbone:
    """A CLIP model: an open_clip model configuration and weights for it, shipped as assets."""

    title: str  # in tables and figures
    config: str  # open_clip model configuration (JSON)
    weights: str  # safetensors


BACKBONES = {
    "mini-rn": Backbone("mini-RN", "mini-rn.json", "mini-rn.safetensors"),
}
