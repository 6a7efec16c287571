"""The properties of CLIP that the shipped backbones are built to have, measured.

Validation images and clean labels alone enter: no training here sees a wrong label.
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
SHOTS, SEEDS, DRAWS = 16, [1, 2, 3, 4], 100


@dataclass(frozen=True)
class Measured:
    """Accuracies in percent, on the validation images of one data set."""

    zero_shot: float
    random_prompt: float  # mean of 100 draws
    random_prompt_sd: float
    probe: float  # means and sd of four draws of shots
    probe_sd: float
    prompt: float
    prompt_sd: float
    norm: float  # of the image features, mean and sd
    norm_sd: float

    @property
    def kept(self) -> float:
        """Percent of zero-shot accuracy that random prompts keep."""
        return 100 * self.random_prompt / self.zero_shot


@torch.inference_mode()
def encode(config: Path, weights: Path, table: pd.DataFrame) -> Tensor:
    """Image features (N, D) of a shipped data set, not normalised."""
    backbone = load_files(weights.stem, config, weights, CPU)
    images = [backbone.transform(Image.open(io.BytesIO(png)).convert("RGB")) for png in table.png]
    parts = torch.stack(images).split(256)
    return torch.cat([backbone.encode_image(part) for part in parts])


def measure(
    config: Path, weights: Path, dataset: str, table: pd.DataFrame, settings: Mapping[str, Any]
) -> Measured:
    """What a backbone (its two files) can do on a data set.

    Parameters
    ----------
    table : the shipped data set (see `ptnl.data.embedded.IMAGES`)
    settings : of the paper's protocol, by method: prompt_ce, linear_probe
    """
    backbone = read_text_backbone(weights.stem, config, weights, CPU)
    features = encode(config, weights, table)
    names, template = class_names_of(table), DATASETS[dataset].template
    is_val, labels = split_of(table, "val")
    val = features[is_val]
    zero_shot = top1_accuracy(zero_shot_logits(backbone, val, names, template), labels)
    prompt, probe = settings["prompt_ce"], settings["linear_probe"]
    random, _ = random_prompts(backbone, val, labels, names, prompt["context_length"], DRAWS)

    draws = [draw_shots(table, SHOTS, seed) for seed in SEEDS]
    rows = draw_rows(table, [draw[draw.split == "train"] for draw in draws])
    shown, seen = features[rows], torch.tensor(table.label.tolist())[rows]
    weight, bias, _ = fit(
        shown, seen, len(names), LOSSES["ce"]({}), probe["c"], probe["max_iterations"]
    )
    scores = linear_logits(val.double(), weight, bias)
    probes = [top1_accuracy(own, labels) for own in scores]
    method = METHODS["prompt_ce"]
    sweep = SweepData(method, dict(prompt), backbone, names, template, SEEDS, shown, seen, seen, val)
    prompts = [top1_accuracy(run.test_logits, labels) for run in tune(sweep)]
    norms = val.norm(dim=-1)
    return Measured(
        zero_shot,
        random.mean(),
        random.std(ddof=1),
        np.mean(probes),
        np.std(probes, ddof=1),
        np.mean(prompts),
        np.std(prompts, ddof=1),
        norms.mean().item(),
        norms.std().item(),
    )
