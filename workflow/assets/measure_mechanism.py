"""Measure how much wrong labels cost prompt tuning with different text towers.

The paper explains the robustness of prompts by the class names: they fix most of a prompt's
embedding, whatever words stand before them (Appendix B). How much they fix is measured here as the
share of zero-shot accuracy that random prompts keep. Several text towers for one image tower differ
in this share.

Unlike aims.py, this script trains on wrong labels. Nothing that ships was chosen by it.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from aims import CPU, SEEDS, SHOTS, encode
from torch import Tensor

from ptnl.backbones.text import TextBackbone, read_text_backbone
from ptnl.data import DATASETS
from ptnl.data.embedded import IMAGES
from ptnl.io import read_parquet, write_text
from ptnl.labels.noise import Request, symmetric
from ptnl.labels.sampling import draw_shots
from ptnl.methods import METHODS
from ptnl.methods.linear_probe import fit, linear_logits
from ptnl.methods.prompt import tune
from ptnl.methods.random_prompt import random_prompts
from ptnl.methods.zero_shot import zero_shot_logits
from ptnl.study.config import Rules
from ptnl.study.protocols import protocol_values
from ptnl.training.losses import LOSSES
from ptnl.training.run_files import class_names_of, draw_rows, split_of
from ptnl.training.tuning import SweepData, top1_accuracy

RATES = (0, SHOTS // 2)  # wrong labels per class
RUNS = [(fp, seed) for fp in RATES for seed in SEEDS]
NO_TOWER = "none"  # for the linear probe, which only sees image features


def noisy_draws(table: pd.DataFrame) -> list[pd.DataFrame]:
    """The draws of `RUNS` with symmetric noise, as the study makes them."""
    return [
        symmetric(Request(table, draw_shots(table, SHOTS, seed), SHOTS, fp, seed))
        for fp, seed in RUNS
    ]


def share_kept(
    backbone: TextBackbone,
    features: Tensor,
    labels: Tensor,
    names: list[str],
    template: str,
    settings: Mapping[str, Any],
) -> tuple[float, float]:
    """Accuracy (%) of zero-shot CLIP, and mean accuracy of prompts of random tokens."""
    random, _ = random_prompts(
        backbone, features, labels, names, settings["context_length"], settings["draws"]
    )
    zero_shot = top1_accuracy(zero_shot_logits(backbone, features, names, template), labels)
    return zero_shot, float(random.mean())


def config_of(weights: Path) -> Path:
    """The open_clip JSON of exported weights, which lies beside them."""
    return weights.with_suffix(".json")


def shared_features(towers: Sequence[Path], table: pd.DataFrame) -> Tensor:
    """Image features (N, D), which must be the same with all models.

    Raises `SystemExit` if the image towers differ, because text towers cannot be compared then.
    """
    first, *others = (encode(config_of(weights), weights, table) for weights in towers)
    for weights, own in zip(towers[1:], others, strict=True):
        if not torch.equal(own, first):
            raise SystemExit(f"{weights}: its image tower differs from that of {towers[0]}")
    return first


def measure_dataset(
    towers: Mapping[str, Path], dataset: str, table: pd.DataFrame, protocol: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """One row for each run (see `plot_mechanism.py`): all text towers and the linear probe."""
    names, template = class_names_of(table), DATASETS[dataset].template
    settings, probe = protocol["settings"], protocol["methods"]["linear_probe"]
    draws = noisy_draws(table)
    clean = torch.tensor([draw.label_clean.tolist() for draw in draws])
    seen = torch.tensor([draw.label.tolist() for draw in draws])
    rows = draw_rows(table, draws)
    (val, val_labels), (test, test_labels) = split_of(table, "val"), split_of(table, "test")

    def described(tower: str, method: str, logits: list[Tensor], **of_tower: float) -> list[dict]:
        return [
            {
                "dataset": dataset,
                "tower": tower,
                **of_tower,
                "method": method,
                "wrong_labels": fp,
                "seed": seed,
                "test_accuracy": top1_accuracy(scores, test_labels),
            }
            for (fp, seed), scores in zip(RUNS, logits, strict=True)
        ]

    features = shared_features(list(towers.values()), table)
    found = []
    for tower, weights in towers.items():
        backbone = read_text_backbone(weights.stem, config_of(weights), weights, CPU)
        zero_shot, random = share_kept(
            backbone, features[val], val_labels, names, template, settings
        )
        tuned = tune(
            SweepData(
                METHODS["prompt_ce"],
                dict(settings),
                backbone,
                names,
                template,
                [seed for _, seed in RUNS],
                features[rows],
                seen,
                clean,
                features[test],
            )
        )
        found += described(
            tower,
            "prompt_ce",
            [run.test_logits for run in tuned],
            zero_shot_val=zero_shot,
            random_val=random,
        )
    weight, bias, _ = fit(
        features[rows], seen, len(names), LOSSES["ce"]({}), probe["c"], probe["max_iterations"]
    )
    scores = linear_logits(features[test].double(), weight, bias)
    return found + described(NO_TOWER, "linear_probe", list(scores))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tower",
        nargs=2,
        metavar=("NAME", "WEIGHTS"),
        action="append",
        required=True,
        help="name in the figure, and weights from export_clip.py with their JSON beside them",
    )
    parser.add_argument("--datasets", type=Path, nargs="+", required=True, help="Parquet files")
    parser.add_argument("--out", type=Path, required=True, help="CSV to write")
    args = parser.parse_args()
    protocol = protocol_values("paper", Rules.shipped().protocols)
    towers = {name: Path(weights) for name, weights in args.tower}
    found = []
    for path in args.datasets:
        found += measure_dataset(towers, path.stem, read_parquet(path, IMAGES), protocol)
    write_text(pd.DataFrame(found).round(3).to_csv(index=False), args.out)


if __name__ == "__main__":
    main()
