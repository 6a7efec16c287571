"""Why some claims of the paper do not hold on the embedded study, measured on its finished runs.

    python -m tests.measurements.why_claims_fail results/embedded

Nothing is trained. It prints means over seeds at the highest rate of wrong labels:

- `gradients`: the mean gradient norm of wrongly labelled images over that of the others, and the
  share of wrongly labelled training images for which a method predicts the wrong label;
- `labels`: what zero-shot CLIP thinks of the wrong labels before any training;
- `accuracy`: how often the true class of a test image is ranked first, and among the first two.
"""

import argparse
from pathlib import Path

import pandas as pd
import torch
from torch.nn.functional import cross_entropy

import ptnl
from ptnl.backbones.assets import FOLDER
from ptnl.backbones.text import read_text_backbone
from ptnl.data import DATASETS
from ptnl.methods.zero_shot import zero_shot_logits
from ptnl.training.run_files import class_names_of, open_features

METHODS = ("prompt_ce", "linear_probe", "linear_probe_sgd")
FP, BACKBONE = 8, "mini-rn"


def gradients(study: Path) -> pd.DataFrame:
    """Ratio of gradient norms, and share of wrong labels learnt (%), by data set and method."""
    rows = []
    for path in sorted(study.glob(f"runs/*/{BACKBONE}/*/symmetric/fp-{FP}/seed-*/history.parquet")):
        dataset, method = path.parts[-7], path.parts[-5]
        if method in METHODS:
            history = pd.read_parquet(path)
            rows.append((dataset, method, history.accuracy_noisy.iloc[-1]))
    learnt = pd.DataFrame(rows, columns=["dataset", "method", "wrong labels learnt"])
    table = learnt.groupby(["dataset", "method"]).mean()
    measured = pd.read_parquet(study / "gradients.parquet").query("fp == @FP")
    table["ratio of norms"] = measured.groupby(["dataset", "method"]).ratio_mean.mean()
    return table


def labels(study: Path) -> pd.DataFrame:
    """What zero-shot CLIP thinks of wrong labels, by data set and kind of noise."""
    weights = FOLDER / f"{BACKBONE}.safetensors"
    backbone = read_text_backbone(
        BACKBONE, weights.with_suffix(".json"), weights, torch.device("cpu")
    )
    rows = []
    for path in sorted((study / "manifests").glob("*.parquet")):
        dataset, manifest = path.stem, pd.read_parquet(path)
        features = open_features(study / f"features/{dataset}/{BACKBONE}.npy", manifest.image)
        logits = zero_shot_logits(
            backbone,
            features(torch.arange(len(manifest))),
            class_names_of(manifest),
            DATASETS[dataset].template,
        )
        row_of = pd.Series(manifest.index, index=manifest.image)
        for kind in ("symmetric", "confusion"):
            draws = sorted(study.glob(f"noise/{dataset}/{kind}/fp-{FP}/seed-*.parquet"))
            wrong = pd.concat([pd.read_parquet(draw).query("is_noisy") for draw in draws])
            of = logits[row_of[wrong.image].tolist()]
            given = torch.tensor(wrong.label.tolist())
            gap = of.gather(1, torch.tensor(wrong.label_clean.tolist())[:, None])[:, 0]
            gap = gap - of.gather(1, given[:, None])[:, 0]
            rows.append(
                {
                    "dataset": dataset,
                    "noise": kind,
                    "true above wrong (logits)": float(gap.mean()),
                    "wrong preferred (%)": 100 * float((gap < 0).float().mean()),
                    "first loss of wrong": float(cross_entropy(of, given)),
                }
            )
    return pd.DataFrame(rows).set_index(["dataset", "noise"])


def accuracy(study: Path) -> pd.DataFrame:
    """Top-1 and top-2 accuracy (%) on test images, by data set, method and kind of noise."""
    results, rows = ptnl.results(study), []
    runs = results.runs.query("fp == @FP and backbone == @BACKBONE and method in @METHODS[:2]")
    for run in runs.itertuples():
        true = torch.tensor(results.predictions(run).label.tolist())
        best = torch.from_numpy(results.logits(run)).float().topk(2).indices
        hit = best == true[:, None]
        top = [100 * float(hit[:, :k].any(dim=1).float().mean()) for k in (1, 2)]
        rows.append((run.dataset, run.method, run.noise, *top))
    table = pd.DataFrame(rows, columns=["dataset", "method", "noise", "top-1", "top-2"])
    return table.groupby(["dataset", "method", "noise"]).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", type=Path, help="results folder of a finished embedded study")
    study = parser.parse_args().study
    for table in (gradients, labels, accuracy):
        print(f"{table.__name__}\n{table(study).round(2).to_string()}\n")


if __name__ == "__main__":
    main()
