"""The files of the backbone that a command names: found or fetched, and their checksums."""

from dataclasses import dataclass
from pathlib import Path

import torch

from ptnl.backbones.assets import FOLDER, sha256
from ptnl.backbones.configuration import configuration_of, outline, tag_of
from ptnl.backbones.loading import LoadedBackbone, load_files
from ptnl.backbones.origins import find, origins_of
from ptnl.backbones.registry import BACKBONES, OpenClip, Shipped
from ptnl.backbones.text import TextBackbone, check_weights, read_text_backbone
from ptnl.backbones.weights import model_weights, read_weights
from ptnl.errors import InputError
from ptnl.io import write_json, write_tensors
from ptnl.provenance import fingerprint, libraries

DEFAULT = "mini-rn"


@dataclass(frozen=True)
class BackboneFiles:
    """A CLIP model's files."""

    name: str  # as the user gave it
    config: Path
    weights: Path
    model: str  # open_clip's name; for a shipped backbone, that of its configuration
    tag: str  # of open_clip; empty for a shipped backbone

    @property
    def sha256(self) -> str:
        """The checksum of the weights."""
        return sha256(self.weights)

    def load(self, device: torch.device, precision: str) -> LoadedBackbone:
        """Load the whole model."""
        return load_files(self.name, self.config, self.weights, device, precision)

    def load_text(self, device: torch.device, precision: str) -> TextBackbone:
        """Load only the text side."""
        return read_text_backbone(self.name, self.config, self.weights, device, precision)

    def identity(self, device: torch.device, precision: str) -> str:
        """A fingerprint of everything that an image's features depend on."""
        return fingerprint(
            self.sha256,
            sha256(self.config),
            device.type,
            precision,
            libraries("torch", "torchvision", "open_clip_torch", "pillow", "simplejpeg"),
        )


def backbone_files(name: str, cache: Path) -> BackboneFiles:
    """The files of a backbone that is shipped, in the registry, or a MODEL:TAG of open_clip.

    Fetched files stay in the folder `cache`. Raises `InputError` for an unknown name.
    """
    known = BACKBONES.get(name)
    if known is not None:
        source = known.source
        if isinstance(source, Shipped):
            return BackboneFiles(name, FOLDER / source.config, FOLDER / source.weights, name, "")
        return _fetched(name, source, cache)
    model, colon, tag = name.partition(":")
    if not colon:
        raise InputError(
            f"--backbone {name!r} is unknown; choose from {', '.join(BACKBONES)}, or give "
            "MODEL:TAG of open_clip, such as ViT-B-16:openai"
        )
    return _fetched(name, OpenClip(model, tag), cache)


def _fetched(name: str, source: OpenClip, cache: Path) -> BackboneFiles:
    folder = cache / "backbones" / f"{source.model}-{source.pretrained}".replace("/", "-")
    files = BackboneFiles(
        name,
        folder / "config.json",
        folder / "weights.safetensors",
        source.model,
        source.pretrained,
    )
    if not (files.config.exists() and files.weights.exists()):
        _fetch(name, source, files, cache)
    return files


def _fetch(name: str, source: OpenClip, files: BackboneFiles, cache: Path) -> None:
    config = configuration_of(source)
    found = find(name, origins_of(tag_of(source)), cache / "downloads", cache / "manual")
    state = model_weights(read_weights(found.path))
    shapes = {name: weight.shape for name, weight in outline(config).state_dict().items()}
    check_weights(found.path, shapes, state)
    write_tensors(state, files.weights)
    write_json(config, files.config)
