"""Loading a CLIP model from its files, onto a device, ready for inference."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from open_clip import CLIP
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2
from torch import nn

from ptnl.assets import FOLDER, verified
from ptnl.backbones.configuration import build, preprocessing, tokenizer_of
from ptnl.backbones.precision import ALL_FLOAT32, Dtypes, choose_dtypes, computing_in
from ptnl.backbones.registry import BACKBONES, Shipped
from ptnl.backbones.weights import StateDict, read_weights
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
    # Its size counts for nothing: that of the image encoder does.
    preprocess: PreprocessCfg = field(default_factory=PreprocessCfg)
    dtypes: Dtypes = ALL_FLOAT32

    @property
    def image_size(self) -> int:
        """Side in pixels of the square images that the image encoder takes."""
        size = self.model.visual.image_size
        return size if isinstance(size, int) else size[0]

    @property
    def dimensions(self) -> int:
        """Size of an image feature, and of a text embedding."""
        return self.model.text_projection.shape[1]

    @property
    def transform(self) -> nn.Module:
        """The test transform: PIL image -> normalised tensor (3, size, size)."""
        return image_transform_v2(replace(self.preprocess, size=self.image_size), is_train=False)

    def normalise(self, pixels: torch.Tensor) -> torch.Tensor:
        """What the image encoder takes, of uint8 images (..., 3, size, size)."""
        mean, std = (
            torch.tensor(values, device=pixels.device)[:, None, None]
            for values in (self.preprocess.mean, self.preprocess.std)
        )
        return (pixels / 255 - mean) / std

    def encode_image(self, images: torch.Tensor) -> torch.Tensor:
        """Features (B, D) of normalised images (B, 3, size, size), not normalised themselves."""
        with computing_in(self.dtypes.image, self.device):
            return self.model.encode_image(images)

    @property
    def logit_scale(self) -> float:
        """1 / temperature of Eq. 1."""
        return float(self.model.logit_scale.exp())


def choose_device(name: str) -> torch.device:
    """The device that a config names; `auto` is a GPU where there is one, else the CPU."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"device {name!r} asked for, but torch finds no GPU")
    return torch.device(name)


def expand_state_dict(stored: StateDict, vocabulary_size: int) -> StateDict:
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


def check_shapes(path: Path, model: nn.Module, state: StateDict) -> None:
    """Raise an `InputError` that names the first of the weights in a file that is not the model's.

    It names the file, and a missing weight, one too many, or one of another shape.
    """
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
    """The backbone `name` that the package ships, frozen, in evaluation mode, all in float32.

    Raises `InputError` where the weights are missing, altered, or of the wrong shape.
    """
    source = BACKBONES[name].source
    if not isinstance(source, Shipped):
        raise InputError(f"{name} is not shipped; `ptnl fetch_backbone` gets its files")
    return load_files(name, FOLDER / source.config, FOLDER / source.weights, device, "float32")


def load_files(
    name: str, config: Path, weights: Path, device: torch.device, precision: str = "auto"
) -> LoadedBackbone:
    """The backbone of a configuration (see `ptnl.backbones.configuration`) and safetensors weights.

    It is frozen and in evaluation mode, its weights in float32; `precision` is that of its products
    (see `ptnl.backbones.precision`).

    Raises `InputError` where a file is missing or of the wrong kind, where a shipped one is
    altered, and where the weights are not the model's.
    """
    for path in (config, weights):
        if path.resolve().parent == FOLDER.resolve():
            verified(path.name)
    described = read_json(config)
    model = build(described)
    state = expand_state_dict(read_weights(weights), model.vocab_size)
    check_shapes(weights, model, state)
    model.load_state_dict(state)
    model.eval().requires_grad_(False)
    return LoadedBackbone(
        name,
        model.to(device),
        tokenizer_of(described),
        device,
        preprocessing(described),
        choose_dtypes(device, precision),
    )
