"""The adapted folder: it holds class embeddings, so that predicting needs no text tower."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ptnl.backbones.assets import sha256
from ptnl.errors import InputError
from ptnl.io import read_json, write_json, write_tensors, write_text
from ptnl.own.names import Classes
from ptnl.own.output import KIND, require_ours

MARK, TENSORS, CARD, COUNTS = "adapted.json", "adapted.safetensors", "README.md", "classes.csv"
MARKED_AS = "ptnl adapted model"


@dataclass(frozen=True)
class AdaptedModel:
    """A classifier: the product of a backbone's image features with class embeddings."""

    classes: Classes
    template: str
    class_embeddings: Tensor  # (C, D), unit, float32
    zero_shot_embeddings: Tensor  # (C, D), unit
    contexts: Tensor  # (R, M, W), the tuned prompts
    logit_scale: float
    backbone: dict[str, str]  # name, model, tag, sha256 of the weights
    report: dict[str, Any]  # what was tried, how it was judged, what was kept
    counts: pd.DataFrame  # one row per class
    made: dict[str, Any]  # provenance

    def probabilities(self, features: np.ndarray) -> np.ndarray:
        """Probabilities (N, C) of image features (N, D), normalised or not."""
        images = torch.nn.functional.normalize(torch.from_numpy(features).float(), dim=-1)
        return (self.logit_scale * images @ self.class_embeddings.T).softmax(dim=-1).numpy()


def write_adapted(model: AdaptedModel, folder: Path, card: str) -> None:
    """Write the files of an adapted folder.

    The mark is written first, so that a half-written folder is known as ours and may be written
    again. It is written once more at the end, with the checksum of the tensors.
    """
    write_json({KIND: MARKED_AS}, folder / MARK)
    tensors = {
        "class_embeddings": model.class_embeddings,
        "zero_shot_embeddings": model.zero_shot_embeddings,
        "contexts": model.contexts,
        "logit_scale": torch.tensor(model.logit_scale),
    }
    write_tensors({name: tensor.float() for name, tensor in tensors.items()}, folder / TENSORS)
    write_text(model.counts.to_csv(index=False), folder / COUNTS, replaces=True)
    write_text(card, folder / CARD, replaces=True)
    mark = {
        KIND: MARKED_AS,
        "classes": model.classes.names,
        "words": model.classes.words,
        "template": model.template,
        "prompts": model.classes.texts(model.template),
        "backbone": model.backbone,
        "report": model.report,
        "made_by": model.made,
        "sha256": sha256(folder / TENSORS),
    }
    write_json(mark, folder / MARK)


def read_adapted(folder: Path) -> AdaptedModel:
    """Read an adapted folder; an incomplete one is an `InputError`."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; `ptnl adapt` makes it")
    again = f"run `ptnl adapt ... -o {folder}` again"
    require_ours(folder, MARK, MARKED_AS, "ptnl adapt")
    mark = read_json(folder / MARK)
    if "sha256" not in mark:
        raise InputError(f"{folder}: is half-written; {again}")
    if not (folder / TENSORS).is_file() or sha256(folder / TENSORS) != mark["sha256"]:
        raise InputError(f"{folder / TENSORS}: missing or not what {MARK} belongs to; {again}")
    try:
        tensors = load_file(folder / TENSORS)
        counts = pd.read_csv(folder / COUNTS, keep_default_na=False)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"{folder}: not readable ({error}); {again}") from error
    return AdaptedModel(
        classes=Classes(mark["classes"], mark["words"]),
        template=mark["template"],
        class_embeddings=tensors["class_embeddings"],
        zero_shot_embeddings=tensors["zero_shot_embeddings"],
        contexts=tensors["contexts"],
        logit_scale=float(tensors["logit_scale"]),
        backbone=mark["backbone"],
        report=mark["report"],
        counts=counts,
        made=mark["made_by"],
    )
