"""Loading a CLIP model by name, onto a device, ready for inference."""

from dataclasses import dataclass
from pathlib import Path

import torch
from open_clip import CLIP, OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transform import image_transform
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from ptnl.assets import verified
from ptnl.backbones.registry import BACKBONES
from ptnl.errors import InputError
from ptnl.io import read_json

# Rows of the token embedding that training never touched are left out of a weights file: the rows
# it holds stand under the first name, the tokens they belong to under the second.
TOKEN_ROWS, TOKEN_IDS = "token_embedding.rows", "token_embedding.ids"


@dataclass(frozen=True)
class LoadedBackbone:
    """A frozen CLIP model with its own image transform and tokenizer."""

    name: str
    model: CLIP
    tokenizer: SimpleTokenizer
    device: torch.device

    @property
    def image_size(self) -> int:
        """Side in pixels of the square images that the image encoder takes."""
        size = self.model.visual.image_size
        return size if isinstance(size, int) else size[0]

    @property
    def transform(self) -> nn.Module:
        """The test transform: PIL image -> normalised tensor (3, size, size)."""
        return image_transform(
            self.image_size, False, mean=OPENAI_DATASET_MEAN, std=OPENAI_DATASET_STD
        )

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """What the image encoder takes, of uint8 images (..., 3, size, size)."""
        mean, std = (
            torch.tensor(values, device=pixels.device)[:, None, None]
            for values in (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD)
        )
        return (pixels / 255 - mean) / std

    @property
    def logit_scale(self) -> float:
        """1 / temperature of Eq. 1."""
        return float(self.model.logit_scale.exp())


def expand_state_dict(
    stored: dict[str, torch.Tensor], vocabulary_size: int
) -> dict[str, torch.Tensor]:
    """Stored weights as float32 ones, with a row for every token of the vocabulary."""
    state = {
        name: value.float() if value.is_floating_point() else value
        for name, value in stored.items()
    }
    if TOKEN_ROWS in state:
        rows, ids = state.pop(TOKEN_ROWS), state.pop(TOKEN_IDS).long()
        state["token_embedding.weight"] = torch.zeros(vocabulary_size, rows.shape[1])
        state["token_embedding.weight"][ids] = rows
    return state


def _check_shapes(path: Path, model: nn.Module, state: dict[str, torch.Tensor]) -> None:
    expected = model.state_dict()
    for name in sorted(expected.keys() | state.keys()):
        if name not in state:
            raise InputError(f"{path}: misses the weights {name!r}")
        if name not in expected:
            raise InputError(f"{path}: holds {name!r}, which the model does not have")
        if expected[name].shape != state[name].shape:
            raise InputError(
                f"{path}: {name!r} has shape {tuple(state[name].shape)}, "
                f"the model needs {tuple(expected[name].shape)}"
            )


def load_backbone(name: str, device: torch.device) -> LoadedBackbone:
    """The backbone `name` of the registry, frozen, in evaluation mode, in float32.

    Raises `InputError` where the weights are missing, altered, or of the wrong shape.
    """
    source = BACKBONES[name]
    return load_files(name, verified(source.config), verified(source.weights), device)


def load_files(name: str, config: Path, weights: Path, device: torch.device) -> LoadedBackbone:
    """Like `load_backbone`, from an open_clip model configuration and safetensors weights."""
    model = CLIP(**read_json(config))
    try:
        stored = load_file(weights)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{weights}: not readable as safetensors ({error})") from error
    state = expand_state_dict(stored, model.vocab_size)
    _check_shapes(weights, model, state)
    model.load_state_dict(state)
    model.eval().requires_grad_(False)
    return LoadedBackbone(name, model.to(device), SimpleTokenizer(), device)
