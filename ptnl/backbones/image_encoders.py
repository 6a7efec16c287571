"""Loading an image encoder that was pre-trained with labels only: what `finetune` starts from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.data import create_transform
from torch import Tensor, nn

from ptnl.backbones.assets import intact, verified
from ptnl.backbones.registry import IMAGE_ENCODERS
from ptnl.backbones.text import check_weights
from ptnl.errors import InputError
from ptnl.io import check_seal, read_json

StateDict = dict[str, Tensor]

# How a model's images are prepared, in a configuration.
PREPARATION = ("input_size", "interpolation", "crop_pct", "mean", "std")


@dataclass(frozen=True)
class ImageEncoder:
    """A timm model with a new head, all of it to be trained, and how its images are prepared."""

    model: nn.Module  # normalised images (B, 3, S, S) -> logits (B, C)
    transform: Callable[[Image.Image], Tensor]  # PIL image -> (3, S, S) uint8, as at test time
    mean: Tensor  # (3, 1, 1), of values in [0, 1]
    std: Tensor  # (3, 1, 1)

    def normalise(self, images: Tensor) -> Tensor:
        """Images (B, 3, S, S) uint8 as the model takes them, on the model's device."""
        images = images.to(self.mean.device).float() / 255
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)


def build(config: dict[str, Any], classes: int) -> nn.Module:
    """The timm model of a configuration in the format of timm's `config.json`, untrained."""
    return timm.create_model(config["architecture"], num_classes=classes, **config["model_args"])


def published_config(name: str) -> dict[str, Any]:
    """The configuration of a model that timm knows by name, as `build` takes it."""
    known = timm.get_pretrained_cfg(name)
    prepared = {key: getattr(known, key) for key in PREPARATION}
    return {"architecture": known.architecture, "model_args": {}, "pretrained_cfg": prepared}


def without_head(state: Mapping[str, Tensor], config: dict[str, Any], path: Path) -> StateDict:
    """The weights of a configuration's model but for its head; `path` is where they are from.

    Raises `InputError` where one is missing, unknown, or of the wrong shape.
    """
    with torch.device("meta"):
        model = build(config, classes=1)
    head = {name for name, _ in model.named_parameters() if name not in _body(model)}
    kept = {name: value.contiguous() for name, value in state.items() if name not in head}
    check_weights(path, {name: value.shape for name, value in _body(model).items()}, kept)
    return kept


def load_image_encoder(name: str, classes: int, device: torch.device) -> ImageEncoder:
    """The shipped image encoder `name`, with a head of zeros for `classes` classes.

    Raises `InputError` where the weights are missing, altered or of the wrong shape.
    """
    source = IMAGE_ENCODERS[name]
    return read_image_encoder(verified(source.config), verified(source.weights), classes, device)


def read_image_encoder(
    config: Path, weights: Path, classes: int, device: torch.device
) -> ImageEncoder:
    """Like `load_image_encoder`, from a configuration and safetensors weights without a head.

    A head that starts from zero (as in BiT, Kolesnikov et al. 2020) leaves nothing to chance but
    the order of the batches, and the first step trains the head alone.
    """
    described = read_json(intact(config))
    model = build(described, classes)
    _load_weights(model, weights)
    for parameter in model.get_classifier().parameters():
        nn.init.zeros_(parameter)
    prepared = described["pretrained_cfg"]
    mean, std = (
        torch.tensor(prepared[key], device=device)[:, None, None] for key in ("mean", "std")
    )
    transform = create_transform(
        tuple(prepared["input_size"]),
        interpolation=prepared["interpolation"],
        crop_pct=prepared["crop_pct"],
        normalize=False,
    )
    model = model.to(device, memory_format=torch.channels_last)
    return ImageEncoder(model, transform, mean, std)


def _body(model: nn.Module) -> StateDict:
    """What a model is made of but for its head."""
    head = {id(parameter) for parameter in model.get_classifier().parameters()}
    return {n: v for n, v in model.state_dict(keep_vars=True).items() if id(v) not in head}


def _load_weights(model: nn.Module, path: Path) -> None:
    """Fill a model with weights that leave out its head."""
    try:
        check_seal(path)
        stored = load_file(intact(path))
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not readable as safetensors ({error})") from error
    check_weights(path, {name: value.shape for name, value in _body(model).items()}, stored)
    model.load_state_dict(stored, strict=False)
