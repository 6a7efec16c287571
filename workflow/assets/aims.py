"""Measure the properties of CLIP that the shipped backbones should have.

No training here sees a wrong label.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from ptnl.backbones.loading import load_files
from ptnl.backbones.text import read_text_backbone
from ptnl.data import DATASETS
from ptnl.labels.sampling import draw_shots
from ptnl.methods import METHODS
from ptnl.methods.linear_probe import fit, linear_logits
from ptnl.methods.prompt import tune
from ptnl.methods.random_prompt import random_prompts
from ptnl.methods.zero_shot import zero_shot_logits
from ptnl.training.losses import LOSSES
from ptnl.training.run_files import class_names_of, draw_rows, split_of
from ptnl.training.tuning import SweepData, top1_accuracy

CPU = torch.device("cpu")
SHOTS, SEEDS = 16, [1, 2, 3, 4]


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation."""

    mean: float
    sd: float

    @classmethod
    def of(cls, values: list[float] | np.ndarray | Tensor) -> "Spread":
        values = np.asarray(values)
        return cls(float(values.mean()), float(values.std(ddof=1)))

    def __str__(self) -> str:
        return f"{self.mean:.1f} ± {self.sd:.1f}"


@dataclass(frozen=True)
class Measured:
    """What a backbone can do on one split of a data set; accuracies in percent."""

    classes: int
    images: int
    zero_shot: float
    random: Spread  # accuracy of 100 prompts of random context tokens
    probe: Spread  # accuracy over four draws of shots, here and below
    prompt: Spread
    norm: Spread  # of the image features

    @property
    def kept(self) -> float:
        """Percent of zero-shot accuracy that random prompts keep."""
        return 100 * self.random.mean / self.zero_shot


@torch.inference_mode()
def encode(config: Path, weights: Path, table: pd.DataFrame) -> Tensor:
    """Image features (N, D) of a shipped data set, not normalised."""
    backbone = load_files(weights.stem, config, weights, CPU)
    images = [backbone.transform(Image.open(io.BytesIO(png)).convert("RGB")) for png in table.png]
    return torch.cat([backbone.encode_image(part) for part in torch.stack(images).split(256)])


def measure(
    config: Path,
    weights: Path,
    dataset: str,
    table: pd.DataFrame,
    protocol: Mapping[str, Any],
    splits: list[str],
) -> list[Measured]:
    """What a backbone (its two files) can do on splits of a data set.

    Parameters
    ----------
    table : the shipped data set (see `ptnl.data.embedded.IMAGES`)
    protocol : the paper's protocol (see `ptnl.study.protocols.protocol_values`)
    """
    backbone = read_text_backbone(weights.stem, config, weights, CPU)
    features = encode(config, weights, table)
    names, template = class_names_of(table), DATASETS[dataset].template
    settings, probe = protocol["settings"], protocol["methods"]["linear_probe"]

    draws = [draw_shots(table, SHOTS, seed) for seed in SEEDS]
    rows = draw_rows(table, [draw[draw.split == "train"] for draw in draws])
    shown, seen = features[rows], torch.tensor(table.label.tolist())[rows]
    weight, bias, _ = fit(
        shown, seen, len(names), LOSSES["ce"]({}), probe["c"], probe["max_iterations"]
    )
    scores = linear_logits(features.double(), weight, bias)
    method = METHODS["prompt_ce"]
    tuned = tune(
        SweepData(
            method, dict(settings), backbone, names, template, SEEDS, shown, seen, seen, features
        )
    )

    measured = []
    for split in splits:
        member, labels = split_of(table, split)
        own = features[member]
        random, _ = random_prompts(
            backbone, own, labels, names, settings["context_length"], settings["draws"]
        )
        measured.append(
            Measured(
                len(names),
                len(labels),
                top1_accuracy(zero_shot_logits(backbone, own, names, template), labels),
                Spread.of(random),
                Spread.of([top1_accuracy(score[member], labels) for score in scores]),
                Spread.of([top1_accuracy(run.test_logits[member], labels) for run in tuned]),
                Spread.of(own.norm(dim=-1)),
            )
        )
    return measured
