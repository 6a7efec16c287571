"""Reading a model's weights from a file without running anything that the file holds.

Safetensors hold tensors and nothing else; PyTorch's own files are read by its restricted unpickler.
A TorchScript archive, as OpenAI publishes CLIP, is a pickle of modules beside their code: here its
modules become containers without behaviour, and its code is never run.
"""

import argparse
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ptnl.backbones.checkpoints import (
    StateDict,
    foreign_format,
    is_safetensors,
    kind_of,
    state_dict_in,
)
from ptnl.errors import InputError
from ptnl.io import check_seal

# The names of storages in pickles -> the type of their numbers.
STORAGES = {
    "BFloat16Storage": torch.bfloat16,
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
    "DoubleStorage": torch.float64,
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "IntStorage": torch.int32,
    "LongStorage": torch.int64,
}
# What archives hold beside the weights: OpenAI's, three numbers; open_clip's, the causal mask.
NO_WEIGHTS = {"input_resolution", "context_length", "vocab_size", "attn_mask"}
# A module's class in the code of an archive, and which of its attributes are weights.
CLASS = re.compile(r"^class (\w+)\(Module\):\n((?:  .*\n?)*)", flags=re.M)
DECLARED = re.compile(r"^  __(parameters|buffers)__ = \[(.*)\]", flags=re.M)


def read_weights(path: Path) -> StateDict:
    """The weights in a file, by their names, in the types in which they are stored.

    Its kind is seen by its content. Of a training checkpoint it gives the model's weights.

    Raises `InputError` where the file is of no known kind, or asks for more than tensors.
    """
    try:
        with path.open("rb") as file:
            beginning = file.read(1024)
    except OSError as error:
        raise InputError(f"{path}: not readable ({error.strerror})") from error
    if kind := kind_of(beginning):
        raise InputError(f"{path}: is {kind}")
    if path.suffix == ".safetensors" or is_safetensors(beginning):
        stored = _read_safetensors(path)
    elif _is_torchscript(path):
        stored = read_torchscript(path)
    else:
        stored = _read_pickle(path)
    state = state_dict_in(stored)
    if state is None:
        raise InputError(f"{path}: holds no state dict")
    if kind := foreign_format(state):
        raise InputError(f"{path}: is {kind}")
    return state


def _read_safetensors(path: Path) -> StateDict:
    try:
        check_seal(path)
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not readable as safetensors ({error})") from error


def _read_pickle(path: Path) -> Any:
    """What `torch.load` gives of a file that may ask for tensors, and for options of a command."""
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(f"{path}: {_refusal(error)}") from error
    except Exception as error:  # a broken pickle can ask for anything that cannot be done
        reason = str(error) or type(error).__name__
        reason = " ".join(reason.split())
        raise InputError(f"{path}: not readable as weights of PyTorch ({reason})") from error


def model_weights(stored: StateDict) -> StateDict:
    """Stored weights under the names of open_clip's CLIP class.

    open_clip's class for other text towers calls the tower `text`, of whatever kind it is.
    """
    return {
        name.removeprefix("text."): weight
        for name, weight in stored.items()
        if name not in NO_WEIGHTS
    }


def _refusal(error: pickle.UnpicklingError) -> str:
    """What PyTorch's restricted unpickler objects to, of its long advice."""
    asked = re.search(r"GLOBAL (\S+)", str(error))
    if asked:
        return f"refused, for it asks for {asked[1]}, no weights"
    return "not readable as weights of PyTorch"


def _is_torchscript(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return any(PurePosixPath(name).parts[1:2] == ("code",) for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):  # what `torch.load` says of it then tells more
        return False


def read_torchscript(path: Path) -> StateDict:
    """The state dict of the module that `torch.jit.save` wrote, read without its code being run."""
    try:
        with zipfile.ZipFile(path) as archive:
            (pickled,) = [n for n in archive.namelist() if PurePosixPath(n).match("*/data.pkl")]
            root = pickled.removesuffix("data.pkl")
            weights = _declared_weights(archive, root)
            with archive.open(pickled) as file:
                module = _TensorsOnly(file, archive, root, path).load()
        return dict(_named_weights(module, weights))
    except InputError:
        raise
    except Exception as error:  # a broken pickle can ask for anything that cannot be done
        reason = f"{type(error).__name__}: {error}"
        raise InputError(f"{path}: not readable as a TorchScript archive ({reason})") from error


class _Module:
    """What stands for a TorchScript module: its attributes, and its class as a word."""

    torchscript_class = ""


class _TensorsOnly(pickle.Unpickler):
    """An unpickler that knows tensors and modules without behaviour, and refuses all else."""

    def __init__(self, file: IO[bytes], archive: zipfile.ZipFile, root: str, path: Path):
        super().__init__(file)
        self._archive, self._root, self._path = archive, root, path

    def find_class(self, module: str, name: str) -> Any:
        if module.split(".")[0] == "__torch__":
            return type(name, (_Module,), {"torchscript_class": f"{module}.{name}"})
        if module == "torch" and name in STORAGES:
            return name
        # Made anew at every look, so that no pickle can change them for the next.
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, size, stride, *_: storage.as_strided(
                size, stride, offset
            )
        if (module, name) == ("collections", "OrderedDict"):
            return type(name, (OrderedDict,), {})
        if module == "torch.jit._pickle" and name.startswith("build_"):
            return lambda values: values
        raise InputError(f"{self._path}: refused, for it asks for {module}.{name}, no weights")

    def persistent_load(self, identifier: Any) -> Tensor:
        _, kind, key, _, count = identifier
        dtype = STORAGES[kind]
        if not count:
            return torch.empty(0, dtype=dtype)
        member = self._archive.getinfo(f"{self._root}data/{key}")
        if member.compress_type != zipfile.ZIP_STORED:  # as PyTorch writes none; it may be a bomb
            raise InputError(f"{self._path}: refused, for its weights are compressed")
        stored = bytearray(self._archive.read(member))
        return torch.frombuffer(stored, dtype=dtype, count=count)


def _declared_weights(archive: zipfile.ZipFile, root: str) -> dict[str, set[str] | None]:
    """Class of a module -> its parameters and buffers; None where the archive does not say.

    Archives of old versions of PyTorch name the parameters only: then every tensor is a weight.
    """
    declared: dict[str, set[str] | None] = {}
    for member in archive.namelist():
        if not (member.startswith(f"{root}code/") and member.endswith(".py")):
            continue
        package = member.removeprefix(f"{root}code/").removesuffix(".py").replace("/", ".")
        for name, body in CLASS.findall(archive.read(member).decode()):
            kinds = dict(DECLARED.findall(body))
            names = set(re.findall(r'"([^"]*)"', " ".join(kinds.values())))
            declared[f"{package}.{name}"] = names if "buffers" in kinds else None
    return declared


def _named_weights(
    module: _Module, declared: dict[str, set[str] | None], prefix: str = ""
) -> Iterator[tuple[str, Tensor]]:
    names = declared[module.torchscript_class]
    for name, value in vars(module).items():
        if isinstance(value, _Module):
            yield from _named_weights(value, declared, f"{prefix}{name}.")
        elif isinstance(value, Tensor) and (names is None or name in names):
            yield f"{prefix}{name}", value
