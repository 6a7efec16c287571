"""Loading a whole CLIP model by name, onto a device, ready for inference."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from open_clip import CLIP, OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transform import image_transform
from open_clip.transformer import ResidualAttentionBlock
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from ptnl.assets import verified
from ptnl.backbones.registry import BACKBONES
from ptnl.backbones.text import check_shapes, expand_state_dict
from ptnl.errors import InputError
from ptnl.io import read_json
from ptnl.text import TextTower, clip_tokenizer


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

    @cached_property
    def tower(self) -> TextTower:
        """The text tower, as what trains on features uses it."""
        return tower_of(self.model)

    @property
    def logit_scale(self) -> float:
        """1 / temperature of Eq. 1."""
        return float(self.model.logit_scale.exp())


def tower_of(model: CLIP) -> TextTower:
    """The text tower of an open_clip model.

    Refuses one that is not causal, or whose result is not read at the end token.
    """
    if model.text_pool_type != "argmax" or model.attn_mask is None:
        raise InputError("this backbone's text tower is not causal with an end token, as CLIP's is")
    if not isinstance(model.text_projection, torch.Tensor):
        raise InputError("this backbone's text tower does not end in a projection matrix")
    blocks = model.transformer.resblocks
    for block in blocks:
        if type(block) is not ResidualAttentionBlock:
            raise InputError(
                f"this backbone's text tower has blocks of type {type(block).__name__}"
            )
    parts = ("transformer.", "positional_embedding", "ln_final.", "text_projection")
    return TextTower(
        token_embedding=model.token_embedding.weight.detach(),
        weights={n: w.detach() for n, w in model.named_parameters() if n.startswith(parts)},
        layers=len(blocks),
        heads=blocks[0].attn.num_heads,
        gelu=blocks[0].mlp.gelu,
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
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    check_shapes(weights, shapes, state)
    model.load_state_dict(state)
    model.eval().requires_grad_(False)
    return LoadedBackbone(name, model.to(device), clip_tokenizer(), device)
