"""The text side of a backbone, read from its files: all that training on features needs.

Neither the image encoder nor open_clip is loaded: a job starts in half the time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ptnl.backbones.assets import FOLDER, intact
from ptnl.backbones.bounds import check_sizes
from ptnl.backbones.registry import shipped
from ptnl.errors import InputError
from ptnl.io import check_seal, read_json
from ptnl.machine.precision import choose_dtypes
from ptnl.text.tokenizer import clip_tokenizer
from ptnl.text.tower import TextTower

if TYPE_CHECKING:
    from open_clip.tokenizer import SimpleTokenizer

# Rows of the token embedding that training never touched are left out of a weights file: the rows
# it holds stand under the first name, the tokens they belong to under the second.
TOKEN_ROWS, TOKEN_IDS = "token_embedding.rows", "token_embedding.ids"

IMAGE_ENCODER = "visual."

GREATEST_LOGIT_SCALE = 10.0  # CLIP's own is at most ln 100 = 4.6

# What open_clip's configuration of a text tower may say; another key makes it another tower.
DEFAULTS = {"mlp_ratio": 4.0, "ls_init_value": None}
KNOWN = {"context_length", "vocab_size", "width", "heads", "layers", *DEFAULTS}


@dataclass(frozen=True)
class TextBackbone:
    """The frozen text side of a CLIP model."""

    name: str
    tower: TextTower
    tokenizer: "SimpleTokenizer"
    device: torch.device
    logit_scale: float  # 1 / temperature of Eq. 1


def load_text_backbone(name: str, device: torch.device) -> TextBackbone:
    """The text side of the backbone `name` that the package ships.

    Raises `InputError` where the weights are missing, altered, or of the wrong shape.
    """
    source = shipped(name)
    return read_text_backbone(name, FOLDER / source.config, FOLDER / source.weights, device)


def read_text_backbone(
    name: str, config: Path, weights: Path, device: torch.device, precision: str = "float32"
) -> TextBackbone:
    """Like `load_text_backbone`, from a configuration and safetensors weights.

    See `ptnl.backbones.configuration` for the one, `ptnl.machine.precision` for what `precision`
    means. The weights are float32.
    """
    try:
        check_seal(weights)
        with safe_open(intact(weights), "pt") as file:
            names = [name for name in file.keys() if not name.startswith(IMAGE_ENCODER)]  # noqa: SIM118
            stored = {name: file.get_tensor(name) for name in names}
    except (OSError, SafetensorError) as error:
        raise InputError(f"{weights}: not readable as safetensors ({error})") from error
    said = read_json(intact(config))
    said = said.get("model_cfg", said) if isinstance(said, dict) else {}
    try:
        check_sizes(said)
    except InputError as error:
        raise InputError(f"{config}: {error}") from error
    text = {**DEFAULTS, **said["text_cfg"]}
    if unknown := text.keys() - KNOWN:
        raise InputError(f"{config}: a text tower with {', '.join(sorted(unknown))} is not CLIP's")
    if missing := KNOWN - text.keys() or {"embed_dim"} - said.keys():
        raise InputError(f"{config}: misses {', '.join(sorted(missing))}")
    state = expand_state_dict(stored, text["vocab_size"])
    check_weights(weights, _shapes(text, said["embed_dim"]), state)
    state = {name: value.to(device) for name, value in state.items()}
    scale = float(state.pop("logit_scale").exp())
    tower = TextTower(
        token_embedding=state.pop("token_embedding.weight"),
        weights=state,
        layers=text["layers"],
        heads=text["heads"],
        gelu=quick_gelu if said.get("quick_gelu") else F.gelu,
        dtype=choose_dtypes(device, precision).text,
    )
    return TextBackbone(name, tower, clip_tokenizer(), device, scale)


def quick_gelu(x: Tensor) -> Tensor:
    """The approximation of GELU that OpenAI's CLIP was trained with."""
    return x * torch.sigmoid(1.702 * x)


def expand_state_dict(stored: Mapping[str, Tensor], vocabulary_size: int) -> dict[str, Tensor]:
    """Stored weights as float32 ones, with a row for every token of the vocabulary."""
    state = {
        name: value.float() if value.is_floating_point() else value
        for name, value in stored.items()
    }
    if TOKEN_ROWS in state:
        rows, ids = state.pop(TOKEN_ROWS), state.pop(TOKEN_IDS).long()
        if (
            ids.ndim != 1
            or len(ids) != len(rows)
            or not 0 <= ids.min() <= ids.max() < vocabulary_size
        ):
            raise InputError(f"its {TOKEN_IDS} are not the tokens of its {TOKEN_ROWS}")
        state["token_embedding.weight"] = torch.zeros(vocabulary_size, rows.shape[1])
        state["token_embedding.weight"][ids] = rows
    return state


def check_weights(
    path: Path, expected: Mapping[str, tuple[int, ...]], state: Mapping[str, Tensor]
) -> None:
    """Refuse weights that are not those of a model, whose names and shapes are `expected`.

    All are finite and of a floating type, but for the counts that batch normalisation keeps.
    """
    for name in sorted(expected.keys() | state.keys()):
        if name not in state:
            raise InputError(f"{path}: misses the weights {name!r}")
        if name not in expected:
            raise InputError(f"{path}: holds {name!r}, which the model does not have")
        if tuple(expected[name]) != tuple(state[name].shape):
            raise InputError(
                f"{path}: {name!r} has shape {tuple(state[name].shape)}, "
                f"the model needs {tuple(expected[name])}"
            )
        if name.endswith("num_batches_tracked"):
            continue
        if not state[name].is_floating_point():
            kind = str(state[name].dtype).removeprefix("torch.")
            raise InputError(f"{path}: {name!r} is of type {kind}, and not of a floating one")
        # The least and the greatest value are not finite where any is not, and need no copy.
        if state[name].numel() and not all(map(torch.isfinite, state[name].aminmax())):
            raise InputError(f"{path}: {name!r} holds values that are not finite")
    if "logit_scale" in state and abs(state["logit_scale"]) > GREATEST_LOGIT_SCALE:
        raise InputError(f"{path}: its logit scale is exp({float(state['logit_scale']):g})")


def _shapes(text: Mapping[str, Any], dimensions: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a text tower's weights, as open_clip has them."""
    width = text["width"]
    hidden = int(width * text["mlp_ratio"])
    block = {
        "ln_1.weight": (width,),
        "ln_1.bias": (width,),
        "attn.in_proj_weight": (3 * width, width),
        "attn.in_proj_bias": (3 * width,),
        "attn.out_proj.weight": (width, width),
        "attn.out_proj.bias": (width,),
        "ln_2.weight": (width,),
        "ln_2.bias": (width,),
        "mlp.c_fc.weight": (hidden, width),
        "mlp.c_fc.bias": (hidden,),
        "mlp.c_proj.weight": (width, hidden),
        "mlp.c_proj.bias": (width,),
    }
    if text["ls_init_value"] is not None:
        block |= {"ls_1.gamma": (width,), "ls_2.gamma": (width,)}
    return {
        "token_embedding.weight": (text["vocab_size"], width),
        "positional_embedding": (text["context_length"], width),
        "ln_final.weight": (width,),
        "ln_final.bias": (width,),
        "text_projection": (width, dimensions),
        "logit_scale": (),
        **{
            f"transformer.resblocks.{layer}.{name}": shape
            for layer in range(text["layers"])
            for name, shape in block.items()
        },
    }
