"""Validation accuracy over learning rates and penalties: how config.yaml's were chosen.

    python tests/benchmarks/choose_hyper_parameters.py --results results/embedded

Trains each method with several values of its one free hyper-parameter, on the clean draws of a
study that has been run, and scores the validation images of the manifest. Test images are not
read, and noisy labels neither.
"""

import argparse
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pandas as pd
import torch
import yaml

from ptnl.backbones.image_encoders import load_image_encoder
from ptnl.backbones.loading import load_backbone
from ptnl.backbones.registry import BACKBONES
from ptnl.data import DATASETS
from ptnl.features.encode import image_batches
from ptnl.io import read_parquet
from ptnl.methods import METHODS
from ptnl.methods.finetune import Draw, tune
from ptnl.schemas import MANIFEST, SHOTS
from ptnl.training.losses import LOSSES
from ptnl.training.run_files import class_names_of, draw_rows, read_features, split_of
from ptnl.training.tuning import SweepData, top1_accuracy

# The hyper-parameter that is chosen, by whether a method has it, and the values that are tried.
GRIDS = {
    "learning_rate": (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2),
    "c": (10.0, 30.0, 100.0, 300.0, 1000.0),
}
# Where other values are tried: a whole tower's weights bear smaller steps than a few tokens.
# A linear probe has no temperature: on features of norm 1 it takes large ones.
OWN_GRIDS = {
    "text_finetune": (5e-4, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05),
    "linear_probe_sgd": (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0),
}


Score = Callable[[dict], list[float]]  # hyper-parameters -> validation accuracy of every seed


def clean_draw(results: Path, dataset: str, seed: int) -> pd.DataFrame:
    """The training images of a seed, with their own labels."""
    shots = read_parquet(results / f"shots/{dataset}/seed-{seed}.parquet", SHOTS)
    return shots[shots.split == "train"]


def on_features(results: Path, dataset: str, backbone: str, method: str, seeds: list[int]) -> Score:
    """Score a method that trains on features."""
    manifest = read_parquet(results / f"manifests/{dataset}.parquet", MANIFEST)
    features = read_features(results / f"features/{dataset}/{backbone}.npy", len(manifest))
    draws = [clean_draw(results, dataset, seed) for seed in seeds]
    labels = torch.tensor([draw.label.tolist() for draw in draws])
    is_val, val_labels = split_of(manifest, "val")
    loaded = load_backbone(backbone, torch.device("cpu"))

    def score(settings: dict) -> list[float]:
        sweep = SweepData(
            method=METHODS[method],
            settings=settings,
            backbone=loaded,
            class_names=class_names_of(manifest),
            template=DATASETS[dataset].template,
            seeds=seeds,
            features=features[draw_rows(manifest, draws)],
            labels=labels,
            labels_clean=labels,
            test_features=features[is_val],
        )
        tuned = import_module(f"ptnl.methods.{sweep.method.module}").tune(sweep)
        return [top1_accuracy(run.test_logits, val_labels) for run in tuned]

    return score


def on_images(
    results: Path, data: Path, dataset: str, backbone: str, method: str, seeds: list[int]
) -> Score:
    """Score a method that trains on the images themselves."""
    manifest = read_parquet(results / f"manifests/{dataset}.parquet", MANIFEST)
    _, val_labels = split_of(manifest, "val")
    encoder = BACKBONES[backbone].image_encoder, len(class_names_of(manifest)), torch.device("cpu")
    transform = load_image_encoder(*encoder).transform

    def decoded(names: pd.Series) -> torch.Tensor:
        paths = [data / dataset / "images" / name for name in names]
        return torch.cat(list(image_batches(paths, transform, 256, 1)))

    draws = []
    for seed in seeds:
        shots = clean_draw(results, dataset, seed)
        labels = torch.tensor(shots.label.tolist())
        draws.append(Draw(seed, decoded(shots.image), labels, labels))
    val_images = decoded(manifest.image[manifest.split == "val"])

    def score(settings: dict) -> list[float]:
        loss = LOSSES[METHODS[method].loss](settings)
        tuned = tune(load_image_encoder(*encoder), draws, [val_images], loss, settings)
        return [top1_accuracy(run.test_logits, val_labels) for run in tuned]

    return score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True, help="results/<study>")
    parser.add_argument("--config", type=Path, default=Path("config.yaml"))
    parser.add_argument("--backbone", default="mini-rn")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--methods", nargs="+")
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = yaml.safe_load(args.config.read_text())
    chosen = {
        method: name
        for method, settings in config["methods"].items()
        for name in GRIDS
        if name in settings and method in (args.methods or config["methods"])
    }
    for dataset in config["datasets"]:
        for method, name in chosen.items():
            case = dataset, args.backbone, method, args.seeds
            if METHODS[method].trains_on == "images":
                score = on_images(args.results, Path(config["data_root"]), *case)
            else:
                score = on_features(args.results, *case)
            for value in OWN_GRIDS.get(method, GRIDS[name]):
                accuracy = score({**config["methods"][method], name: value})
                mean = sum(accuracy) / len(accuracy)
                print(f"{dataset} {method} {name} {value:g}: {mean:.1f} % on val", flush=True)


if __name__ == "__main__":
    main()
