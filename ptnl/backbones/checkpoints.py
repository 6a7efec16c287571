"""Recognising files of weights: those that hold none, and the forms that training writes.

Pure functions of a file's first bytes and of what was read from it.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

StateDict = dict[str, Tensor]

# First bytes of a file -> what it is, and what to do.
NO_WEIGHTS = {
    rb"version https://git-lfs": "a Git LFS pointer, not the weights; `git lfs pull` gets them",
    rb"/annex/objects": "a git-annex pointer, not the weights; `git annex get` gets them",
    rb"\s*<(!doctype html|html|head|\?xml)": "a web page, not the weights; download the file anew",
    rb'\s*\{\s*"(metadata|weight_map)"': "an index of weights in several files; join them in one",
    rb"\x89HDF\r\n": "in HDF5, as TensorFlow writes it; save the model's state dict with PyTorch",
    rb"\x08[\x01-\x0a]\x12": "in ONNX; save the model's state dict with PyTorch",
}

# Under these names a checkpoint of training keeps the model's weights, one perhaps in another.
PLACES = ("state_dict", "model_state_dict", "model", "module", "net", "network", "ema")

# What wrappers put before every name: parallel training, compilers, Lightning and other trainers.
PREFIXES = ("module.", "_orig_mod.", "_forward_module.", "model.", "net.", "clip.", "clip_model.")

# Names of CLIP's towers in the library transformers.
HUGGING_FACE = ("text_model.", "vision_model.", "visual_projection.")


def kind_of(beginning: bytes) -> str:
    """What a file is that is no file of weights; empty where it may be one."""
    for pattern, kind in NO_WEIGHTS.items():
        if re.match(pattern, beginning, flags=re.IGNORECASE):
            return kind
    return ""


def is_safetensors(beginning: bytes) -> bool:
    """Whether a file begins as safetensors do: with the length of a header, and the header."""
    return beginning[8:9] == b"{" and 2 <= int.from_bytes(beginning[:8], "little") < 1 << 27


def state_dict_in(stored: Any) -> StateDict | None:
    """The model's weights in what a file holds, under its own names; None where there are none."""
    while isinstance(stored, Mapping):
        if stored and all(isinstance(value, Tensor) for value in stored.values()):
            return unwrapped(stored)
        inner = [stored[place] for place in PLACES if isinstance(stored.get(place), Mapping)]
        if not inner:
            return None
        stored = inner[0]
    return None


def unwrapped(state: Mapping[str, Tensor]) -> StateDict:
    """The weights without what wrappers put before all of their names."""
    while prefix := _shared_prefix(state):
        state = {name.removeprefix(prefix): weight for name, weight in state.items()}
    return dict(state)


def _shared_prefix(names: Iterable[str]) -> str:
    names = list(names)
    return next((p for p in PREFIXES if all(name.startswith(p) for name in names)), "")


def foreign_format(names: Iterable[str]) -> str:
    """Which other library uses these names, and what to do; empty where none does."""
    if any(name.startswith(HUGGING_FACE) for name in names):
        return (
            "in Hugging Face's format (transformers); take the model's open_clip or OpenAI "
            "weights, or convert its names to open_clip's"
        )
    return ""
