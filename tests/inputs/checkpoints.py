"""Files of weights, as users may bring them."""

import io
import json
import pickle
import struct
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save as to_safetensors

from ptnl.backbones.weights import read_weights
from tests.inputs.rows import Row, read, refused, write

WEIGHTS = {"visual.proj": torch.arange(6.0).reshape(2, 3), "logit_scale": torch.tensor(4.6)}


def weights(place: Path, path: Path) -> dict[str, torch.Tensor]:
    return read_weights(path)


def right(found: dict[str, torch.Tensor]) -> None:
    assert found.keys() == WEIGHTS.keys()
    assert all(torch.equal(found[name], weight) for name, weight in WEIGHTS.items())


def file(name: str, content: Callable[[], bytes]) -> Callable[[Path], Path]:
    return lambda place: write(place / name, content())


def stored(value: object, **options) -> Callable[[], bytes]:
    def content() -> bytes:
        data = io.BytesIO()
        torch.save(value, data, **options)
        return data.getvalue()

    return content


def header(length: int, text: bytes = b"") -> bytes:
    return struct.pack("<Q", length) + text


class Runs:
    """An object whose unpickling calls a function."""

    def __reduce__(self):
        return print, ("this must not run",)


PREFIXED = {f"module.{name}": weight for name, weight in WEIGHTS.items()}
SHIFTED = json.dumps({"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24_000]}}).encode()

ROWS: list[Row] = [
    read("safetensors", file("a.safetensors", lambda: to_safetensors(WEIGHTS)), "read", right),
    read("a state dict of PyTorch", file("a.pt", stored(WEIGHTS)), "read", right),
    read(
        "a state dict in PyTorch's old format",
        file("a.pt", stored(WEIGHTS, _use_new_zipfile_serialization=False)),
        "read",
        right,
    ),
    read(
        "a training checkpoint",
        file("a.pt", stored({"epoch": 3, "state_dict": WEIGHTS, "optimizer": {"lr": 0.1}})),
        "its model's weights",
        right,
    ),
    read(
        "a checkpoint of several GPUs",
        file("a.pt", stored({"state_dict": PREFIXED})),
        "without the prefix `module.`",
        right,
    ),
    refused("a pickle that runs code", file("a.pt", stored({"a": Runs()})), "refused, for it asks"),
    refused("a bare pickle that runs code", file("a.pt", lambda: pickle.dumps(Runs())), "a.pt: "),
    refused("a checkpoint without weights", file("a.pt", stored({"epoch": 3})), "no state dict"),
    refused("numbers in the place of tensors", file("a.pt", stored({"a": 1.0})), "no state dict"),
    refused("a list of tensors", file("a.pt", stored([torch.ones(2)])), "holds no state dict"),
    refused("an empty file", file("a.pt", lambda: b""), "not readable as weights of PyTorch"),
    refused("a web page", file("a.pt", lambda: b"<html>Sign in</html>"), "a.pt: "),
    refused("a checkpoint that was cut", file("a.pt", lambda: stored(WEIGHTS)()[:-200]), "a.pt: "),
    refused("a file that is not there", lambda place: place / "a.pt", "a.pt: "),
    refused("an empty file of safetensors", file("a.safetensors", lambda: b""), "not readable as"),
    refused(
        "safetensors that were cut",
        file("a.safetensors", lambda: to_safetensors(WEIGHTS)[:-4]),
        "not readable as safetensors",
    ),
    refused(
        "safetensors with a header of 10 EB",
        file("a.safetensors", lambda: header(10**19)),
        "not readable as safetensors",
    ),
    refused(
        "safetensors with tensors behind their end",
        file("a.safetensors", lambda: header(len(SHIFTED), SHIFTED) + b"\0" * 24),
        "not readable as safetensors",
    ),
]
