"""Loading an image encoder that was pre-trained with labels only: what `finetune` starts from."""

from collections.abc import Callable
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

from ptnl.assets import verified
from ptnl.backbones.registry import IMAGE_ENCODERS
from ptnl.errors import InputError
from ptnl.io import read_json


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


def load_image_encoder(name: str, classes: int, device: torch.device) -> ImageEncoder:
    """The image encoder `name` of the registry, with a head of zeros for `classes` classes.

    A head that starts from zero (as in BiT, Kolesnikov et al. 2020) leaves nothing to chance but
    the order of the batches, and the first step trains the head alone.

    Raises `InputError` where shipped weights are missing, altered or of the wrong shape, and where
    timm cannot fetch its own.
    """
    source = IMAGE_ENCODERS[name]
    if source.config:
        config = read_json(verified(source.config))
        model = build(config, classes)
        _load_weights(model, verified(source.weights))
        prepared = config["pretrained_cfg"]
    else:
        try:
            model = timm.create_model(name, pretrained=True, num_classes=classes)
        except OSError as error:  # what the Hugging Face Hub raises where it cannot be reached
            raise InputError(f"timm cannot fetch {name} ({error})") from error
        prepared = model.pretrained_cfg
    for parameter in model.get_classifier().parameters():
        nn.init.zeros_(parameter)
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


def _load_weights(model: nn.Module, path: Path) -> None:
    """Fill a model with float16 weights that leave out its head."""
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not readable as safetensors ({error})") from error
    head = {id(parameter) for parameter in model.get_classifier().parameters()}
    expected = {n for n, v in model.state_dict(keep_vars=True).items() if id(v) not in head}
    try:
        if stored.keys() != expected:
            raise RuntimeError(f"differing names {sorted(stored.keys() ^ expected)}")
        model.load_state_dict(stored, strict=False)
    except RuntimeError as error:
        raise InputError(f"{path}: not the weights of this model ({error})") from error
