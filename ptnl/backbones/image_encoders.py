"""Loading an image encoder that was pre-trained with labels only: what `finetune` starts from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import timm
import torch
from open_clip.constants import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.data.transforms_factory import create_transform
from torch import Tensor, nn

from ptnl.backbones.assets import intact, verified
from ptnl.backbones.registry import IMAGE_ENCODERS, Shipped
from ptnl.backbones.text import check_weights
from ptnl.errors import InputError
from ptnl.io import check_seal, read_json

StateDict = dict[str, Tensor]

# How a model's images are prepared, in a configuration.
PREPARATION = ("input_size", "interpolation", "crop_pct", "mean", "std")
# CLIP's, at whatever size the encoder takes.
CLIP_PREPARATION = {
    "interpolation": "bicubic",
    "crop_pct": 1.0,
    "mean": OPENAI_DATASET_MEAN,
    "std": OPENAI_DATASET_STD,
}


@dataclass(frozen=True)
class ImageEncoder:
    """A timm model, all of it to be trained, and how its images are prepared."""

    model: nn.Module  # normalised images (B, 3, S, S) -> logits (B, C), or more outputs than C
    size: int  # S
    transform: Callable[[Image.Image], Tensor]  # PIL image -> (3, S, S) uint8, as at test time
    mean: Tensor  # (3, 1, 1), of values in [0, 1]
    std: Tensor  # (3, 1, 1)

    def normalise(self, images: Tensor) -> Tensor:
        """Images (B, 3, S, S) uint8 as the model takes them, on the model's device."""
        images = images.to(self.mean.device).float() / 255
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)


def build(config: dict[str, Any], classes: int) -> nn.Module:
    """The timm model of a configuration in the format of timm's `config.json`, untrained."""
    model: nn.Module = timm.create_model(
        config["architecture"], num_classes=classes, **config["model_args"]
    )
    return model


def published_config(name: str) -> dict[str, Any]:
    """The configuration of a model that timm knows by name, as `build` takes it."""
    known = timm.get_pretrained_cfg(name)
    assert known is not None
    prepared = {key: getattr(known, key) for key in PREPARATION}
    return {
        "architecture": known.architecture,
        "num_classes": known.num_classes,  # of its head
        "model_args": {},
        "pretrained_cfg": prepared,
    }


def checked_weights(state: Mapping[str, Tensor], config: dict[str, Any], path: Path) -> StateDict:
    """The weights of a configuration's model, head and all; `path` is where they are from.

    Raises `InputError` where one is missing, unknown, or of the wrong shape.
    """
    with torch.device("meta"):
        model = build(config, config["num_classes"])
    weights = {name: value.contiguous() for name, value in state.items()}
    check_weights(path, {n: value.shape for n, value in model.state_dict().items()}, weights)
    return weights


def load_image_encoder(name: str, classes: int, device: torch.device) -> ImageEncoder:
    """The shipped image encoder `name`, with a new head for `classes` classes.

    Raises `InputError` where the weights are missing, altered or of the wrong shape.
    """
    source = IMAGE_ENCODERS[name]
    assert isinstance(source, Shipped)
    return read_image_encoder(verified(source.config), verified(source.weights), classes, device)


def read_image_encoder(
    config: Path,
    weights: Path,
    classes: int,
    device: torch.device,
    head: str = "new",
    preparation: str = "own",
) -> ImageEncoder:
    """Like `load_image_encoder`, from a configuration and safetensors weights.

    Parameters
    ----------
    config, weights : as `fetch_image_encoder` leaves them; weights may come without their head
    classes : C
    head : "new" is a head of zeros (as in BiT, Kolesnikov et al. 2020), which leaves nothing to
        chance but the order of the batches, and which the first step trains alone; "pretrained" is
        the head that came with the weights, whose first C outputs stand for the classes, and a new
        one where none came
    preparation : "own" is that of the weights' pre-training, "clip" that of CLIP: the whole shorter
        side, bicubic, and CLIP's mean and standard deviation

    Raises `InputError` where the weights do not fit, or their head has fewer outputs than classes.
    """
    described = read_json(intact(config))
    stored = _read_weights(weights)
    outputs = described.get("num_classes", 0)
    keeps_head = head == "pretrained" and outputs > 0
    if keeps_head and outputs < classes:
        raise InputError(
            f"{weights}: its head tells {outputs} classes apart, fewer than the data set's "
            f"{classes}; say head: new"
        )
    model = model_to_load(described, outputs if keeps_head else classes)
    wanted = model.state_dict() if keeps_head else _body(model)
    kept = {n: value for n, value in stored.items() if n in wanted or n not in model.state_dict()}
    check_weights(weights, {name: value.shape for name, value in wanted.items()}, kept)
    model.load_state_dict(kept, strict=False)
    if not keeps_head:
        for parameter in _head(model).parameters():
            nn.init.zeros_(parameter)
    prepared = described["pretrained_cfg"]
    if preparation == "clip":
        prepared = {**prepared, **CLIP_PREPARATION}
    mean, std = (
        torch.tensor(prepared[key], device=device)[:, None, None] for key in ("mean", "std")
    )
    transform = create_transform(
        tuple(prepared["input_size"]),
        interpolation=prepared["interpolation"],
        crop_pct=prepared["crop_pct"],
        normalize=False,
    )
    # torch declares no overload for a device and a memory format.
    model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return ImageEncoder(model, prepared["input_size"][-1], transform, mean, std)


def model_to_load(config: dict[str, Any], classes: int) -> nn.Module:
    """The model of a configuration, without the random weights that loading would overwrite.

    A model that also has numbers which no file of weights holds is built as it is.
    """
    with torch.device("meta"):
        model = build(config, classes)
    in_files = {id(tensor) for tensor in model.state_dict(keep_vars=True).values()}
    for module in model.modules():
        for value in (*module.buffers(recurse=False), *vars(module).values()):
            if isinstance(value, Tensor) and id(value) not in in_files:
                return build(config, classes)
    return model.to_empty(device="cpu")


def _head(model: nn.Module) -> nn.Module:
    """The linear layer behind a model's features, by the method that every model of timm has."""
    head: nn.Module = cast("Any", model).get_classifier()
    return head


def _body(model: nn.Module) -> StateDict:
    """The model's weights without those of its head."""
    head = {id(parameter) for parameter in _head(model).parameters()}
    return {n: v for n, v in model.state_dict(keep_vars=True).items() if id(v) not in head}


def _read_weights(path: Path) -> StateDict:
    try:
        check_seal(path)
        return load_file(intact(path))
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not readable as safetensors ({error})") from error
