"""Files of every kind that ptnl reads, and ways to damage them: for tests and measurements."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file

from ptnl.analysis.metrics import read_metrics
from ptnl.backbones.weights import read_weights
from ptnl.errors import InputError
from ptnl.io import (
    read_json,
    read_metadata,
    read_parquet,
    write_array,
    write_json,
    write_parquet,
    write_tensors,
)
from ptnl.provenance import names_digest
from ptnl.schemas import HISTORY, MANIFEST, NOISY_SHOTS, PSEUDO_LABELS, RUNS, SUMMARY, Schema
from ptnl.training.run_files import open_features, read_logits

IMAGES = 40


@dataclass(frozen=True)
class Artefact:
    """A file of a study, and the function that reads it."""

    path: Path
    read: Callable[[Path], Any]


def frame_of(schema: Schema, seed: int = 0) -> pd.DataFrame:
    """A table with values that the schema allows."""
    stream = np.random.default_rng(seed)
    columns = {}
    for name, kind in schema.items():
        if name == "split":
            columns[name] = (["train", "val", "test", "test"] * IMAGES)[:IMAGES]
        elif kind == "string":
            columns[name] = [f"{name} {number}" for number in range(IMAGES)]
        elif kind == "double":
            columns[name] = stream.random(IMAGES)
        elif kind == "int64":
            columns[name] = np.arange(IMAGES) % 7 + 1
    if "epoch" in schema:
        columns["epoch"] = np.arange(IMAGES)
    if "is_noisy" in schema:
        columns["is_noisy"] = columns["label"] != columns["label_clean"]
    return pd.DataFrame(columns)[list(schema)]


def parquet(schema: Schema) -> Callable[[Path], Any]:
    """A function that reads a Parquet file with this schema, and its metadata."""
    return lambda path: (read_parquet(path, schema), read_metadata(path))


def artefacts(folder: Path) -> list[Artefact]:
    """Write one artefact of every kind."""
    names = [f"image {number}" for number in range(IMAGES)]
    made = []
    for kind, schema in {
        "manifest": MANIFEST,
        "noise": NOISY_SHOTS,
        "pseudolabels": PSEUDO_LABELS,
        "history": HISTORY,
        "runs": RUNS,
        "summary": SUMMARY,
    }.items():
        path = folder / f"{kind}.parquet"
        write_parquet(frame_of(schema), path, schema, {"commit": "0123", "settings": {"seed": 1}})
        made.append(Artefact(path, parquet(schema)))
    numbers = np.random.default_rng(0).random((IMAGES, 16)).astype(np.float16)
    write_array(numbers, folder / "features.npy", images=names_digest(names))
    made.append(
        Artefact(
            folder / "features.npy",
            lambda path: open_features(path, names)(torch.arange(len(names))),
        )
    )
    write_array(numbers, folder / "run/logits.npy")
    made.append(Artefact(folder / "run/logits.npy", lambda path: read_logits(path.parent)))
    metrics = frame_of(RUNS).iloc[0].to_dict() | {"libraries": {"torch": "2"}, "rate": 12.5}
    plain = {k: v.item() if isinstance(v, np.generic) else v for k, v in metrics.items()}
    write_json(plain, folder / "metrics.json")
    made.append(Artefact(folder / "metrics.json", lambda path: read_metrics([path])))
    write_json({"dataset": "dtd", "files": {"a.tar": "0123"}}, folder / "receipt.json")
    made.append(Artefact(folder / "receipt.json", lambda path: read_json(path, sealed=True)))
    weights = {"context": torch.from_numpy(numbers).float(), "scale": torch.ones(3)}
    write_tensors(weights, folder / "weights.safetensors")
    made.append(Artefact(folder / "weights.safetensors", read_weights))
    assert load_file(folder / "weights.safetensors").keys() == weights.keys()
    return made


def flipped(content: bytes, stream: random.Random) -> bytes:
    """One bit is flipped."""
    position = stream.randrange(len(content))
    changed = content[position] ^ (1 << stream.randrange(8))
    return content[:position] + bytes([changed]) + content[position + 1 :]


def truncated(content: bytes, stream: random.Random) -> bytes:
    """The end is missing."""
    return content[: stream.randrange(len(content))]


def swapped(content: bytes, stream: random.Random) -> bytes:
    """Two blocks have changed places."""
    size = stream.choice((1, 16, 64))
    first, second = sorted(stream.sample(range(len(content) // size), 2))
    parts = [content[i : i + size] for i in range(0, len(content), size)]
    parts[first], parts[second] = parts[second], parts[first]
    return b"".join(parts)


def emptied(content: bytes, stream: random.Random) -> bytes:
    """Nothing is left, as after a power cut."""
    return b""


WAYS = (flipped, truncated, swapped, emptied)


def same(first: Any, second: Any) -> bool:
    """Whether two readers' results are equal."""
    if isinstance(first, pd.DataFrame):
        return first.equals(second)
    if isinstance(first, np.ndarray):
        return np.array_equal(first, second)
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, tuple):
        return all(map(same, first, second))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(v, second[k]) for k, v in first.items())
    return first == second


def outcome(artefact: Artefact, way: Callable, stream: random.Random) -> str:
    """What happens when an artefact is damaged and then read.

    "named": the error names the file. "without effect": the content is read as before. Anything
    else says what went wrong.
    """
    content = artefact.path.read_bytes()
    whole = artefact.read(artefact.path)
    try:
        artefact.path.write_bytes(way(content, stream))
        found = artefact.read(artefact.path)
        return "without effect" if same(whole, found) else "read as something else"
    except InputError as error:
        return "named" if artefact.path.name in str(error) else f"file not named: {error}"
    except Exception as error:
        return f"traceback: {type(error).__name__}: {error}"
    finally:
        artefact.path.write_bytes(content)
