"""How well ways of scoring labels find the wrong ones: ours compared with those of others.

python -m tests.measurements.audit --features FOLDER --out audit.csv
python -m tests.measurements.audit --out audit.csv --table

Needs cleanlab[datalab] 2.9, which is not in the lock. Some labels of a data set's train images are
made wrong on purpose. Measured are the area under the precision-recall curve, and the share of
wrong labels that a user misses who looks at as many images as there are wrong labels. `--features`
keeps features between calls. Rows are written as they are measured, so a stopped call can resume.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import cross_val_predict

from ptnl.backbones.text import load_text_backbone
from ptnl.data import DATASETS
from ptnl.methods.zero_shot import zero_shot_logits
from ptnl.own.experts import INVERSE_PENALTY, NEIGHBOURS
from ptnl.own.label_scores import score_labels
from ptnl.own.names import Classes
from ptnl.own.prompts import label_margins
from tests.measurements.shipped import (
    completed,
    markdown_table,
    measurement_parser,
    shipped_features,
    weights_of,
)

NOISE = (
    ("symmetric", 0.125),
    ("symmetric", 0.25),
    ("symmetric", 0.5),
    ("confusion", 0.25),
    ("confusion", 0.5),
    ("next class", 0.25),  # a kind that our noise model does not cover
)
TITLES = {
    "ours": "ours",
    "prompt": "ours, prompt margins alone",
    "zero_shot": "zero-shot margins",
    "cleanlab_self": "cleanlab, self-confidence",
    "cleanlab_margin": "cleanlab, normalised margin",
    "datalab": "Datalab on features",
    "simifeat": "votes of neighbours (SimiFeat)",
}


def gone_wrong(
    true: np.ndarray, zero_shot: np.ndarray, kind: str, rate: float, seed: int
) -> np.ndarray:
    """Labels (N) with a share of every class made wrong, as the study's kinds of noise do it."""
    stream, classes, labels = np.random.default_rng(seed), zero_shot.shape[1], true.copy()
    for label in np.unique(true):
        members = stream.permutation(np.flatnonzero(true == label))
        wrong = members[: round(rate * len(members))]
        if kind == "symmetric":
            labels[wrong] = (label + stream.integers(1, classes, len(wrong))) % classes
        elif kind == "confusion":
            favoured = zero_shot[wrong].copy()
            favoured[:, label] = -np.inf
            labels[wrong] = favoured.argmax(axis=1)
        else:
            labels[wrong] = (label + 1) % classes
    return labels


def cleanlab_scores(unit: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """cleanlab's label quality, from 5-fold logistic regression with the penalty that ours has.

    `find_label_issues` ranks the issues that it finds by each of these qualities.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=300)
    chances = cross_val_predict(model, unit, labels, cv=5, method="predict_proba")
    scores = {
        "cleanlab_self": get_label_quality_scores(labels, chances, method="self_confidence"),
        "cleanlab_margin": get_label_quality_scores(labels, chances, method="normalized_margin"),
    }
    for name, by in (
        ("cleanlab_self", "self_confidence"),
        ("cleanlab_margin", "normalized_margin"),
    ):
        issues = find_label_issues(labels, chances, return_indices_ranked_by=by)
        assert (np.diff(scores[name][issues]) >= 0).all()  # it shows issues in this order
    return scores


def datalab_scores(unit: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Datalab's label quality, which it computes from nearest neighbours among the features."""
    from cleanlab import Datalab

    lab = Datalab(data={"label": labels}, label_name="label", task="classification", verbosity=0)
    lab.find_issues(features=unit, issue_types={"label": {}})
    return lab.get_issues("label").label_score.to_numpy()


def simifeat_scores(unit: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Votes of the nearest neighbours for the label, less those for the best other class.

    A vote weighs as much as the neighbour is similar (Zhu et al. 2022, SimiFeat-V).
    """
    similar = unit @ unit.T
    np.fill_diagonal(similar, -np.inf)
    nearest = np.argsort(-similar, axis=1, kind="stable")[:, :NEIGHBOURS]
    votes = np.zeros((len(labels), classes))
    rows = np.arange(len(labels))
    for column in nearest.T:
        votes[rows, labels[column]] += similar[rows, column]
    return label_margins(votes / NEIGHBOURS, labels)


def found(quality: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    """How well label qualities (N) find wrong labels; low where a label looks wrong."""
    first = np.argsort(quality, kind="stable")[: wrong.sum()]
    return {
        "auprc": float(average_precision_score(wrong, -quality)),
        "missed": float(1 - wrong[first].mean()),
    }


def cell(
    dataset: str, backbone: str, kind: str, rate: float, seed: int, folder: Path
) -> list[dict]:
    """All methods on one draw of the noise."""
    features, table = shipped_features(dataset, backbone, folder)
    is_train = (table.split == "train").to_numpy()
    features, table = features[is_train], table[is_train]
    true, template = table.label.to_numpy(), DATASETS[dataset].template
    names = table.groupby("label").class_name.first().tolist()
    text, images = load_text_backbone(backbone, torch.device("cpu")), torch.from_numpy(features)
    logits = zero_shot_logits(text, images, names, template).numpy()
    labels = gone_wrong(true, logits, kind, rate, seed)
    wrong, unit = labels != true, features / np.linalg.norm(features, axis=1, keepdims=True)
    started = time.process_time()
    scores = score_labels(text, Classes.of(names), template, images, labels)
    seconds = time.process_time() - started
    qualities = {
        "ours": scores.right,
        "prompt": scores.prompt_margins,
        "zero_shot": label_margins(softmax(logits, axis=1), labels),
        **cleanlab_scores(unit, labels),
        "datalab": datalab_scores(unit, labels),
        "simifeat": simifeat_scores(unit, labels, len(names)),
    }
    low, high = scores.rate_interval
    about = {"dataset": dataset, "backbone": backbone, "noise": kind, "rate": rate, "seed": seed}
    about |= {"weights": weights_of(backbone)}
    known = {"wrong": wrong.mean(), "estimated": scores.noise.rate, "low": low, "high": high}
    return [
        {**about, "method": name, **found(quality, wrong), **known, "cpu_seconds": seconds}
        for name, quality in qualities.items()
    ]


def main(argv: Sequence[str] | None = None) -> None:
    parser = measurement_parser(__doc__)
    parser.add_argument("--backbone", default="mini-rn")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)

    def shown(*about) -> list[dict]:
        rows = cell(*about, args.features)
        print(about, {row["method"]: round(row["auprc"], 3) for row in rows})
        return rows

    asked = [
        (dataset, args.backbone, kind, rate, seed)
        for seed in ([] if args.table else args.seeds)
        for dataset in args.datasets
        for kind, rate in NOISE
    ]
    keys = ("dataset", "backbone", "noise", "rate", "seed")
    results = completed(args.out, keys, asked, shown)
    rows = ("dataset", "backbone", "noise", "rate")
    percent = results.assign(rate=(100 * results.rate).map("{:g} %".format))
    percent = percent.sort_values(["dataset", "backbone"], kind="stable")
    for value, title, less in (
        ("auprc", "area under the curve", False),
        ("missed", "missed", True),
    ):
        table = markdown_table(percent, value, TITLES, rows, 3, less)
        print(f"\n{title}\n\n{table}")
    ours = results[results.method == "ours"]
    within = ((ours.low <= ours.wrong) & (ours.wrong <= ours.high)).mean()
    rates = ours.groupby(["dataset", "noise", "rate"])[["wrong", "estimated"]].mean()
    print(f"\nshare of wrong labels; within the interval in {within:.0%}\n\n{rates.to_string()}")


if __name__ == "__main__":
    main()
