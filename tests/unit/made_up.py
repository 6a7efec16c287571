"""Writes made-up results of a small study, in the files that the workflow leaves."""

from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from ptnl.analysis.aggregate import runs_table, summarise
from ptnl.analysis.details import class_results, learning_curves
from ptnl.io import write_array, write_json, write_parquet
from ptnl.schemas import (
    CLASS_ACCURACY,
    CURVES,
    HISTORY,
    MANIFEST,
    MISTAKES,
    RUNS,
    SUMMARY,
)
from ptnl.training.run import Run

CLASSES = ("apple", "bell", "car")
IMAGES = 30  # of the test split
# Share of the test images that a method gets right, without and with half of the labels wrong.
SHARES = {"prompt_ce": (0.9, 0.7), "linear_probe": (0.9, 0.4)}


def metrics_of(run: Run, accuracy: float) -> dict:
    """The content of a run's `metrics.json`."""
    return {
        **vars(run),
        **{"shots": 16, "rate": 100 * run.fp / 16, "rate_realised": 100 * run.fp / 16},
        **{"shots_per_class": 16.0, "accuracy": accuracy, "epochs": 3, "parameters": 1},
        **{"job_runs": 2, "job_seconds": 3600.0, "memory_gib": 0.5, "device": "cpu"},
        **{"device_gib": 0.0, "commit": "abc", "torch": "2", "settings": {}},
    }


def metrics(
    method: str,
    fp: int,
    seed: int,
    accuracy: float,
    dataset: str = "icons",
    noise: str = "symmetric",
    backbone: str = "mini-rn",
) -> dict:
    """The metrics of a run of this method, by default on icons under symmetric noise."""
    return metrics_of(Run(dataset, backbone, method, noise, fp, seed), accuracy)


def history() -> pd.DataFrame:
    """Three epochs, the same for every run."""
    epochs = pd.DataFrame(dict.fromkeys(HISTORY, 0.5), index=range(3))
    return epochs.assign(epoch=[1, 2, 3], accuracy_true=[40.0, 60.0, 80.0])


def study(folder: Path, dataset: str = "icons", seeds=(1, 2, 3, 4), fps=(0, 8)) -> Path:
    """Write results of zero-shot CLIP and of two methods at some rates; returns the folder."""
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
    runs = [
        Run(dataset, "mini-rn", method, "symmetric", fp, seed)
        for method in SHARES
        for fp in fps
        for seed in seeds
    ]
    rng = np.random.default_rng(0)
    metrics, predictions = [], []
    for run in [Run(dataset, "mini-rn", "zero_shot", "none", 0, 0), *runs]:
        share = SHARES.get(run.method, (0.6, 0.6))[run.fp > 0]
        scores = np.eye(len(CLASSES))[labels] * (rng.random(IMAGES) < share)[:, None]
        # All methods get the last image wrong.
        scores[-1] = np.eye(len(CLASSES))[(labels[-1] + 1) % len(CLASSES)]
        logits = (scores + 0.5 * rng.random(scores.shape)).astype(np.float16)
        where = folder / "runs" / run.path
        write_array(logits, where / "logits.npy")
        predictions.append(logits.argmax(axis=1))
        metrics.append(metrics_of(run, 100 * float((predictions[-1] == labels).mean())))
        write_json(metrics[-1], where / "metrics.json")
        if run.method in SHARES:
            write_parquet(history(), where / "history.parquet", HISTORY)
    table = runs_table(metrics)
    summary = summarise(table)
    for frame, name, schema in ((table, "runs", RUNS), (summary, "summary", SUMMARY)):
        write_parquet(frame, folder / f"{name}.parquet", schema)
        frame.to_csv(folder / f"{name}.csv", index=False)
    accuracy, mistakes = class_results(metrics, predictions, labels, CLASSES)
    curves = learning_curves(metrics[1:], [history()] * len(runs))
    details = folder / "details" / dataset
    write_parquet(accuracy, details / "classes.parquet", CLASS_ACCURACY)
    write_parquet(mistakes, details / "mistakes.parquet", MISTAKES)
    write_parquet(curves, details / "curves.parquet", CURVES)
    config = {
        **{"study": folder.name, "datasets": [dataset], "primary_backbone": "mini-rn"},
        **{"backbones": {"mini-rn": {}}, "shots": 16, "seeds": list(seeds)},
        **{"protocol": "paper", "random_noise": "symmetric"},
        "noise": {"symmetric": {"fps": list(fps)}},
        "methods": {"zero_shot": {}, **{name: {"epochs": 3} for name in SHARES}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    return folder
