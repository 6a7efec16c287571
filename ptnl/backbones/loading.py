"""Loading a whole CLIP model from its files, onto a device, ready for inference."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import torch
from open_clip import CLIP
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2
from open_clip.transformer import ResidualAttentionBlock
from torch import nn

from ptnl.backbones.assets import FOLDER, intact
from ptnl.backbones.configuration import build, preprocessing
from ptnl.backbones.registry import shipped
from ptnl.backbones.text import check_weights, expand_state_dict
from ptnl.backbones.weights import read_weights
from ptnl.errors import InputError
from ptnl.io import read_json
from ptnl.machine.precision import choose_dtypes, computing_in
from ptnl.text import TextTower, clip_tokenizer


@dataclass(frozen=True)
class LoadedBackbone:
    """A frozen CLIP model with its own image transform and tokenizer."""

    name: str
    model: CLIP
    tokenizer: SimpleTokenizer
    device: torch.device
    # Its size counts for nothing: that of the image encoder does.
    preprocess: PreprocessCfg = field(default_factory=PreprocessCfg)
    dtype: torch.dtype = torch.float32  # of the products in the image encoder

    @property
    def image_size(self) -> int:
        """Side in pixels of the square images that the image encoder takes."""
        size = self.model.visual.image_size
        return size if isinstance(size, int) else size[0]

    @property
    def transform(self) -> nn.Module:
        """The test transform: PIL image -> normalised tensor (3, size, size)."""
        sized = replace(self.preprocess, size=self.image_size)
        transform: nn.Module = image_transform_v2(sized, is_train=False)
        return transform

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """What the image encoder takes, of uint8 images (..., 3, size, size)."""
        mean, std = (
            torch.tensor(values, device=pixels.device)[:, None, None]
            for values in (self.preprocess.mean, self.preprocess.std)
        )
        return (pixels / 255 - mean) / std

    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        """Features (B, D) of normalised images (B, 3, size, size), not normalised themselves."""
        with computing_in(self.dtype, self.device):
            features: torch.Tensor = self.model.encode_image(images)
        return features

    @property
    def dimensions(self) -> int:
        """Size of an image feature."""
        return int(self.model.text_projection.shape[1])

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
    """The backbone `name` that the package ships, frozen, in evaluation mode, in float32.

    Raises `InputError` where the weights are missing, altered, or of the wrong shape.
    """
    source = shipped(name)
    return load_files(name, FOLDER / source.config, FOLDER / source.weights, device)


def load_files(
    name: str, config: Path, weights: Path, device: torch.device, precision: str = "float32"
) -> LoadedBackbone:
    """Like `load_backbone`, from a configuration and safetensors weights.

    See `ptnl.backbones.configuration` for the one, `ptnl.machine.precision` for what `precision`
    means. The weights are float32.
    """
    described = read_json(intact(config))
    model = build(described)
    state = expand_state_dict(read_weights(intact(weights)), model.vocab_size)
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    check_weights(weights, shapes, state)
    model.load_state_dict(state)
    model.eval().requires_grad_(False)
    return LoadedBackbone(
        name,
        model.to(device),
        clip_tokenizer(),
        device,
        preprocessing(described),
        choose_dtypes(device, precision).image,
    )
