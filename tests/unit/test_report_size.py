"""The report of a large study stays small: it shows aggregates, not rows."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from PIL import Image

from ptnl.analysis.aggregate import runs_table, summarise
from ptnl.analysis.details import class_results, learning_curves
from ptnl.analysis.predictions import MOST as LISTED
from ptnl.features.thumbnails import thumbnail
from ptnl.io import write_parquet
from ptnl.schemas import (
    CLASS_ACCURACY,
    CURVES,
    HARD_IMAGES,
    MANIFEST,
    MISTAKES,
    RUNS,
    SUMMARY,
)
from ptnl.training.run import Run
from tests.unit.made_up import history, metrics_of
from tests.unit.made_up_report import written

DATASETS = ("icons",)
METHODS_RUN = [
    "prompt_ce",
    "prompt_gce",
    "prompt_sce",
    "full_prompt",
    "cls_tuning",
    "text_finetune",
    "classifier_r",
    "classifier_c",
    "linear_probe",
    "linear_probe_gce",
]
FPS, SEEDS = range(10), range(1, 21)
CLASSES = [f"class number {label}" for label in range(100)]
IMAGES = 1000  # of the test split of each data set
MOST = 5_000_000  # bytes


def large_study(folder: Path) -> Path:
    """Tables of 2,000 runs: a data set of 100 classes, 10 methods, 10 rates, 20 seeds."""
    rng = np.random.default_rng(0)
    every = []
    for dataset in DATASETS:
        labels = np.arange(IMAGES) % len(CLASSES)
        manifest = pd.DataFrame(
            {
                "image": [f"{place}.png" for place in range(IMAGES)],
                "label": labels,
                "class_name": np.take(CLASSES, labels),
                "split": "test",
            }
        )
        write_parquet(manifest, folder / f"manifests/{dataset}.parquet", MANIFEST)
        metrics, predictions = [], []
        for method in METHODS_RUN:
            for fp in FPS:
                for seed in SEEDS:
                    right = rng.random(IMAGES) < 0.9 - 0.05 * fp
                    guessed = np.where(right, labels, rng.integers(0, len(CLASSES), IMAGES))
                    predictions.append(guessed)
                    run = Run(dataset, "mini-rn", method, "symmetric", fp, seed)
                    metrics.append(metrics_of(run, 100 * float((guessed == labels).mean())))
        accuracy, mistakes = class_results(metrics, predictions, labels, CLASSES)
        details = folder / "details" / dataset
        write_parquet(accuracy, details / "classes.parquet", CLASS_ACCURACY)
        write_parquet(mistakes, details / "mistakes.parquet", MISTAKES)
        epochs = pd.concat([history()] * 17, ignore_index=True).assign(epoch=range(1, 52))
        curves = learning_curves(metrics, [epochs] * len(metrics))
        write_parquet(curves, details / "curves.parquet", CURVES)
        every += metrics
    runs = runs_table(every)
    write_parquet(runs, folder / "runs.parquet", RUNS)
    write_parquet(summarise(runs), folder / "summary.parquet", SUMMARY)
    pixels = folder / "hard.png"
    Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(pixels)
    hard = {
        "class_name": CLASSES[0],
        "predicted_class": CLASSES[1],
        "agreeing": 50,
        "predictions": 100,
        "hard": 2 * LISTED,
        "thumbnail": thumbnail(pixels, 64, "white"),
    }
    listed = [
        {"dataset": dataset, "image": f"{place}.png", **hard}
        for dataset in DATASETS
        for place in range(LISTED)
    ]
    write_parquet(pd.DataFrame(listed), folder / "hard_images.parquet", HARD_IMAGES)
    config = {
        **{"study": folder.name, "datasets": list(DATASETS), "primary_backbone": "mini-rn"},
        **{"backbones": {"mini-rn": {}}, "shots": 16, "seeds": list(SEEDS)},
        **{"protocol": "paper", "random_noise": "symmetric"},
        "noise": {"symmetric": {"fps": list(FPS)}},
        "methods": {name: {"epochs": 51} for name in METHODS_RUN},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return folder


def test_a_report_of_two_thousand_runs_is_under_five_megabytes(tmp_path):
    page = written(large_study(tmp_path / "toy"), DATASETS) / "report.html"
    assert "2,000 runs on 1 data set " in page.read_text()
    assert page.stat().st_size < MOST
