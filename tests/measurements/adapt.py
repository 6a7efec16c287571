"""How much adapting without labels gains over zero-shot, compared with other ways to do it.

python -m tests.measurements.adapt --features FOLDER --out adapt.csv
python -m tests.measurements.adapt --out adapt.csv --table

For each seed, half of the images of every class are a user's folder, whose labels no method sees;
the other half are new images. Rows are written as they are measured, so a stopped call can resume.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from ptnl.backbones.text import TextBackbone, load_text_backbone
from ptnl.data import DATASETS
from ptnl.machine.random_streams import random_stream
from ptnl.methods import METHODS
from ptnl.methods.lp_plus_plus import tune
from ptnl.own.adaptation import zero_shot_embeddings
from ptnl.own.experts import fit_residual
from ptnl.own.folds import draw_per_class
from ptnl.own.names import Classes
from ptnl.own.prompts import SHOTS, RunPlan, ensembled, equal_sized, robust_loss, train
from ptnl.training.losses import cross_entropy
from ptnl.training.tuning import SweepData, cosine_logits
from tests.measurements.shipped import (
    completed,
    markdown_table,
    measurement_parser,
    shipped_features,
)
from tests.measurements.transclip import transduced

PROMPTS = 4  # in an ensemble
LP_ITERATIONS = 300  # as in LP++'s code
TITLES = {
    "zero_shot": "zero-shot",
    "upl_ce": "Robust UPL (CE)",
    "upl_gce": "Robust UPL (GCE)",
    "upl_ce_ensemble": "Robust UPL (CE, ensemble)",
    "upl_gce_ensemble": "Robust UPL (GCE, ensemble)",
    "lp_plus_plus": "LP++",
    "transclip": "TransCLIP",
}
# Variants that show what makes the difference between prompts and TransCLIP.
REASONS = {
    "upl_all": "Robust UPL (GCE, ensemble), all images",
    "upl_true": "the same 16 images a class, true labels",
    "residual": "classifier of each class, all images",
    "gaussians": "TransCLIP without neighbours",
    "neighbours": "TransCLIP without Gaussians",
}
# Images in the folder, and new ones. TransCLIP learns from the images that it classifies, and so
# also from the new ones.
PLACES = ("folder", "new")


def halves(labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the images in a user's folder and of the new images: half of every class each."""
    folder = []
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        stream = random_stream("adapt_benchmark", seed, int(label))
        folder.append(stream.permutation(members)[: len(members) // 2])
    rows = np.sort(np.concatenate(folder))
    return rows, np.setdiff1d(np.arange(len(labels)), rows)


def plans_of(labels: np.ndarray, shots: int, seed: int) -> list[RunPlan]:
    """The trainings of an ensemble, each on up to `shots` images of every label."""
    everyone, nobody = np.arange(len(labels)), np.array([], dtype=np.int64)
    return [
        RunPlan(run, draw_per_class(labels, everyone, shots, run, 0), nobody)
        for run in range(PROMPTS * seed, PROMPTS * (seed + 1))
    ]


def prompt_guesses(
    backbone: TextBackbone,
    classes: Classes,
    template: str,
    images: Tensor,
    guess: np.ndarray,
    seed: int,
) -> dict[str, list[Tensor]]:
    """Predictions (N) for all images, by prompts tuned on the folder's images, which come first."""
    plans = plans_of(guess, SHOTS, seed)
    guesses = {}
    for name, loss in (("upl_ce", cross_entropy), ("upl_gce", robust_loss)):
        _, tuned = train(backbone, classes, images, guess, plans, loss=loss)
        both = {name: list(tuned), f"{name}_ensemble": [ensembled(tuned)]}
        for title, embeddings in both.items():
            guesses[title] = [(images @ e.T).argmax(dim=1) for e in embeddings]
    shots = torch.from_numpy(np.stack([plan.rows for plan in equal_sized(plans)]))
    labels = torch.from_numpy(guess)[shots]
    fitted = tune(
        SweepData(
            METHODS["lp_plus_plus"],
            {"iterations": LP_ITERATIONS},
            backbone,
            classes.names,
            template,
            [plan.seed for plan in plans],
            images[shots],
            labels,
            labels,
            images,
        )
    )
    guesses["lp_plus_plus"] = [run.test_logits.argmax(dim=1) for run in fitted]
    return guesses


def reasons(
    backbone: TextBackbone,
    classes: Classes,
    text: Tensor,
    images: Tensor,
    true: np.ndarray,
    guess: np.ndarray,
    seed: int,
) -> dict[str, list[Tensor]]:
    """Predictions (N) of variants: prompts or TransCLIP with one thing changed.

    Parameters
    ----------
    text : unit zero-shot embeddings (C, D)
    images : unit features (N, D), the folder's first
    true : labels (n) of the folder's images, to see what prompts could reach at most
    guess : zero-shot predictions (n) for the folder's images
    """
    size, found = len(guess), {}
    for name, labels, shots in (("upl_all", guess, size), ("upl_true", true, SHOTS)):
        _, tuned = train(backbone, classes, images, labels, plans_of(labels, shots, seed))
        found[name] = [(images @ ensembled(tuned).T).argmax(dim=1)]
    logits = cosine_logits(images, text, backbone.logit_scale)
    targets = torch.from_numpy(guess)
    weights, gain = fit_residual(images[:size], logits[:size], lambda y: robust_loss(y, targets))
    found["residual"] = [(gain * logits.double() + images.double() @ weights.T).argmax(dim=1)]
    chances = logits.double().softmax(dim=-1)
    for name, weight in (("gaussians", {"neighbours": 0.0}), ("neighbours", {"likelihood": 0.0})):
        found[name] = [transclip(images, chances, size, **weight)]
    return found


def transclip(images: Tensor, chances: Tensor, size: int, **weights: float) -> Tensor:
    """Predictions (N): the first `size` images are classified alone, the others with all images."""
    together = transduced(images.double(), chances, **weights).argmax(dim=1)
    alone = transduced(images[:size].double(), chances[:size], **weights).argmax(dim=1)
    return torch.cat([alone, together[size:]])


def cell(dataset: str, backbone_name: str, seed: int, kept: Path) -> list[dict]:
    """Accuracy (%) of all methods; that of single prompts and probes is the mean over four."""
    features, table = shipped_features(dataset, backbone_name, kept)
    folder, new = halves(table.label.to_numpy(), seed)
    order = np.concatenate([folder, new])
    images = F.normalize(torch.from_numpy(features[order]), dim=-1)
    true, size = torch.from_numpy(table.label.to_numpy()[order]), len(folder)
    classes = Classes.of(table.groupby("label").class_name.first().tolist())
    backbone = load_text_backbone(backbone_name, torch.device("cpu"))
    template = DATASETS[dataset].template
    text = zero_shot_embeddings(backbone, classes, template)
    chances = cosine_logits(images, text, backbone.logit_scale).double().softmax(dim=-1)
    guess = chances[:size].argmax(dim=1).numpy()
    guesses = {
        "zero_shot": [chances.argmax(dim=1)],
        **prompt_guesses(backbone, classes, template, images, guess, seed),
        "transclip": [transclip(images, chances, size)],
        **reasons(backbone, classes, text, images, true[:size].numpy(), guess, seed),
    }
    about = {"dataset": dataset, "backbone": backbone_name, "seed": seed}
    rows = []
    for method, runs in guesses.items():
        right = torch.stack([guess == true for guess in runs]).double().mean(dim=0)
        for place, part in zip(PLACES, (right[:size], right[size:]), strict=True):
            rows.append(
                {**about, "images": place, "method": method, "accuracy": 100 * part.mean().item()}
            )
    return rows


def gains(results: pd.DataFrame) -> pd.DataFrame:
    """The results with a column `gain`: points over zero-shot with the same seed."""
    keys = ["dataset", "backbone", "seed", "images"]
    before = results[results.method == "zero_shot"].set_index(keys).accuracy
    joined = results.join(before.rename("before"), on=keys)
    return joined.assign(gain=joined.accuracy - joined.before)


def main(argv: Sequence[str] | None = None) -> None:
    parser = measurement_parser(__doc__)
    parser.add_argument("--backbones", nargs="+", default=["mini-rn", "mini-vit"])
    args = parser.parse_args(argv)
    torch.set_num_threads(1)

    def shown(*about) -> list[dict]:
        rows = cell(*about, args.features)
        print(*about, flush=True)
        return rows

    asked = [
        (dataset, backbone, seed)
        for seed in ([] if args.table else args.seeds)
        for dataset in args.datasets
        for backbone in args.backbones
    ]
    done = completed(args.out, ("dataset", "backbone", "seed"), asked, shown)
    results = gains(done).sort_values(["images", "dataset", "backbone"])
    rows = ("images", "dataset", "backbone")
    print(f"\naccuracy\n\n{markdown_table(results, 'accuracy', TITLES, rows, 1)}")
    gained = {name: title for name, title in TITLES.items() if name != "zero_shot"}
    for titles in (gained, REASONS):
        print(f"\ngain over zero-shot\n\n{markdown_table(results, 'gain', titles, rows, 1)}")


if __name__ == "__main__":
    main()
