"""Validation accuracy over learning rates, on clean labels: how config.yaml's rates were chosen.

    python tests/benchmarks/choose_learning_rates.py --results results/embedded

Trains each method at several rates on the clean draws of a study that has been run, and scores the
validation images of the manifest. Test images are not read, and noisy labels neither.
"""

import argparse
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import torch
import yaml

from ptnl.backbones.loading import choose_device, load_backbone
from ptnl.data import DATASETS
from ptnl.io import read_parquet
from ptnl.methods import METHODS
from ptnl.runs import class_names_of, read_features
from ptnl.schemas import MANIFEST, SHOTS
from ptnl.tuning import Sweep, top1_accuracy

RATES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)


def clean_sweep(
    results: Path, dataset: str, backbone: str, method: str, settings: dict, seeds: list[int]
) -> tuple[Sweep, torch.Tensor]:
    """A sweep on clean labels whose test images are the validation images, and their labels."""
    manifest = read_parquet(results / f"manifests/{dataset}.parquet", MANIFEST)
    features = read_features(results / f"features/{dataset}/{backbone}.npy", len(manifest))
    position = dict(zip(manifest.image, range(len(manifest)), strict=True))
    draws = [read_parquet(results / f"shots/{dataset}/seed-{s}.parquet", SHOTS) for s in seeds]
    draws = [draw[draw.split == "train"] for draw in draws]
    rows = torch.tensor([[position[image] for image in draw.image] for draw in draws])
    labels = torch.tensor([draw.label.tolist() for draw in draws])
    is_val = torch.tensor((manifest.split == "val").tolist())
    sweep = Sweep(
        method=METHODS[method],
        settings=settings,
        backbone=load_backbone(backbone, choose_device("cpu")),
        class_names=class_names_of(manifest),
        template=DATASETS[dataset].template,
        seeds=seeds,
        features=features[rows],
        labels=labels,
        labels_clean=labels,
        test_features=features[is_val],
    )
    return sweep, torch.tensor(manifest.label.tolist())[is_val]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True, help="results/<study>")
    parser.add_argument("--config", type=Path, default=Path("config.yaml"))
    parser.add_argument("--backbone", default="mini-rn")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--methods", nargs="+")
    parser.add_argument("--rates", type=float, nargs="+", default=RATES)
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = yaml.safe_load(args.config.read_text())
    methods = args.methods or [m for m, s in config["methods"].items() if "learning_rate" in s]
    for dataset in config["datasets"]:
        for method in methods:
            sweep, labels = clean_sweep(
                args.results,
                dataset,
                args.backbone,
                method,
                config["methods"][method],
                args.seeds,
            )
            for rate in args.rates:
                tried = replace(sweep, settings={**sweep.settings, "learning_rate": rate})
                tuned = import_module(f"ptnl.methods.{sweep.method.module}").tune(tried)
                accuracy = [top1_accuracy(run.test_logits, labels) for run in tuned]
                mean = sum(accuracy) / len(accuracy)
                print(f"{dataset} {method} rate {rate:g}: {mean:.1f} % on val", flush=True)


if __name__ == "__main__":
    main()
