"""How much choosing hyper-parameters on clean validation labels would add.

Some later methods publish numbers with settings chosen for each data set and noise rate. A user
with noisy labels has no clean ones to choose on, so no study of ptnl does this. This script does,
on the draws of a study that has run: for every data set and rate it takes the setting with the best
mean accuracy on clean validation labels, and compares its test accuracy with that of the method's
fixed setting.

python -m tests.measurements.tuned_on_clean_labels --results results/later --method tip_adapter
"""

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pandas as pd
import torch

from ptnl.analysis.intervals import mean_interval
from ptnl.backbones.text import load_text_backbone
from ptnl.data import DATASETS
from ptnl.io import read_parquet
from ptnl.methods import METHODS
from ptnl.schemas import MANIFEST
from ptnl.study.config import read_study
from ptnl.training.run_files import (
    class_names_of,
    draw_rows,
    open_features,
    read_draw,
    split_of,
)
from ptnl.training.tuning import SweepData, top1_accuracy

ROOT = Path(__file__).parents[2]
# Method -> the settings that its authors choose among.
GRIDS = {
    # `search_hp` in its code searches beta and alpha; here with fewer steps.
    "tip_adapter": {"alpha": [0.5, 1.0, 2.0, 4.0, 8.0], "beta": [1.0, 3.0, 5.5, 8.0, 12.0]},
    # Its README gives warm-up, alpha 1 and alpha 2 for each data set and noise rate.
    "joapr": {"split_after": [1, 20], "alpha1": [0.1, 0.2, 0.5], "alpha2": [0.5, 1.0]},
    # Learning rates in its scripts, beside that of its configuration.
    "nlprompt": {"learning_rate": [0.002, 0.001, 0.0007, 0.0006]},
    # Its paper chooses them for each data set.
    "early_learning": {"target_momentum": [0.7, 0.9], "regularisation": [1.0, 3.0, 7.0]},
}


def settings_of(grid: dict[str, list]) -> list[dict]:
    """Every combination of the values of a grid."""
    return [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]


def sweep_of(results: Path, dataset: str, fp: int, config: dict, method: str) -> tuple:
    """The sweep of a cell over all seeds, tested on val, then test; labels of val and of test."""
    backbone = config["primary_backbone"]
    manifest = read_parquet(results / f"manifests/{dataset}.parquet", MANIFEST)
    features_of = open_features(results / f"features/{dataset}/{backbone}.npy", manifest.image)
    noise = config["random_noise"]
    folder = results / f"noise/{dataset}/{noise}/fp-{fp}"
    draws = [read_draw(folder / f"seed-{seed}.parquet") for seed in config["seeds"]]
    rows = [draw.rows for draw in draws]
    (in_val, val), (in_test, test) = (split_of(manifest, split) for split in ("val", "test"))
    sweep = SweepData(
        method=METHODS[method],
        settings=config["methods"][method],
        backbone=load_text_backbone(backbone, torch.device("cpu")),
        class_names=class_names_of(manifest),
        template=DATASETS[dataset].template,
        seeds=[draw.seed for draw in draws],
        features=features_of(draw_rows(manifest, rows)),
        labels=torch.tensor([draw.label.tolist() for draw in rows]),
        labels_clean=torch.tensor([draw.label_clean.tolist() for draw in rows]),
        test_features=features_of(torch.cat([part.nonzero()[:, 0] for part in (in_val, in_test)])),
    )
    return sweep, val, test


def cell_accuracies(sweep: SweepData, val, test, settings: dict) -> list[dict]:
    """Accuracies on val and on test with some settings, one row for each seed."""
    tune = import_module(f"ptnl.methods.{sweep.method.module}").tune
    runs = tune(replace(sweep, settings={**sweep.settings, **settings}))
    return [
        {
            "seed": seed,
            "val": top1_accuracy(run.test_logits[: len(val)], val),
            "test": top1_accuracy(run.test_logits[len(val) :], test),
        }
        for seed, run in zip(sweep.seeds, runs, strict=True)
    ]


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--results", type=Path, required=True, help="folder of results of a study that has run"
    )
    parser.add_argument("--method", choices=GRIDS, required=True)
    parser.add_argument("--study", type=Path, default=ROOT / "workflow/studies/later.yaml")
    parser.add_argument("--datasets", nargs="+")
    parser.add_argument("--fps", type=int, nargs="+")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    config = read_study(ROOT, [args.study], {})
    rows = []
    for dataset in args.datasets or config["datasets"]:
        for fp in args.fps or config["noise"][config["random_noise"]]["fps"]:
            sweep, val, test = sweep_of(args.results, dataset, fp, config, args.method)
            fixed = pd.DataFrame(cell_accuracies(sweep, val, test, {}))
            tried = {
                str(settings): pd.DataFrame(cell_accuracies(sweep, val, test, settings))
                for settings in settings_of(GRIDS[args.method])
            }
            best = max(tried, key=lambda name: tried[name].val.mean())
            gain = mean_interval(tried[best].test - fixed.test)
            rows.append([dataset, fp, fixed.test.mean(), tried[best].test.mean(), *gain, best])
            print(*rows[-1], flush=True)
    heads = ["data set", "fp", "fixed", "tuned", "gain", "low", "high", "chosen"]
    print(pd.DataFrame(rows, columns=heads).to_markdown(index=False, floatfmt=".2f"))


if __name__ == "__main__":
    main()
