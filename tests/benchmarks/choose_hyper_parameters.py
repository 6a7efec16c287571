"""Validation accuracy over learning rates and penalties: how config.yaml's were chosen.

    python tests/benchmarks/choose_hyper_parameters.py --results results/embedded

Trains each method with several values of its one free hyper-parameter, on the clean draws of a
study that has been run, and scores the validation images of the manifest. Test images are not
read, and noisy labels neither.
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
from ptnl.runs import class_names_of, draw_rows, read_features, split_of
from ptnl.schemas import MANIFEST, SHOTS
from ptnl.tuning import Sweep, top1_accuracy

# The hyper-parameter that is chosen, by whether a method has it, and the values that are tried.
GRIDS = {
    "learning_rate": (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2),
    "c": (10.0, 30.0, 100.0, 300.0, 1000.0),
}
# Where other values are tried: a whole tower's weights bear smaller steps than a few tokens.
OWN_GRIDS = {"text_finetune": (1e-4, 2e-4, 5e-4, 0.001, 0.002, 0.005, 0.01)}


def clean_sweep(
    results: Path, dataset: str, backbone: str, method: str, settings: dict, seeds: list[int]
) -> tuple[Sweep, torch.Tensor]:
    """A sweep on clean labels whose test images are the validation images, and their labels."""
    manifest = read_parquet(results / f"manifests/{dataset}.parquet", MANIFEST)
    features = read_features(results / f"features/{dataset}/{backbone}.npy", len(manifest))
    draws = [read_parquet(results / f"shots/{dataset}/seed-{s}.parquet", SHOTS) for s in seeds]
    draws = [draw[draw.split == "train"] for draw in draws]
    labels = torch.tensor([draw.label.tolist() for draw in draws])
    is_val, val_labels = split_of(manifest, "val")
    sweep = Sweep(
        method=METHODS[method],
        settings=settings,
        backbone=load_backbone(backbone, choose_device("cpu")),
        class_names=class_names_of(manifest),
        template=DATASETS[dataset].template,
        seeds=seeds,
        features=features[draw_rows(manifest, draws)],
        labels=labels,
        labels_clean=labels,
        test_features=features[is_val],
    )
    return sweep, val_labels


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
            sweep, labels = clean_sweep(
                args.results,
                dataset,
                args.backbone,
                method,
                config["methods"][method],
                args.seeds,
            )
            for value in OWN_GRIDS.get(method, GRIDS[name]):
                tried = replace(sweep, settings={**sweep.settings, name: value})
                tuned = import_module(f"ptnl.methods.{sweep.method.module}").tune(tried)
                accuracy = [top1_accuracy(run.test_logits, labels) for run in tuned]
                mean = sum(accuracy) / len(accuracy)
                print(f"{dataset} {method} {name} {value:g}: {mean:.1f} % on val", flush=True)


if __name__ == "__main__":
    main()
