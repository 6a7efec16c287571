"""How fast the linear probes of a sweep are: all runs at once, one by one, and by scikit-learn.

    python -m tests.measurements.linear_probe --results results/embedded

It uses the draws with wrong labels of a study that has run, and one thread. A solver may be fast
because it stops early, so each line gives the largest difference of its probabilities to those of
the optimum.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from ptnl.io import read_parquet
from ptnl.methods import linear_probe
from ptnl.schemas import MANIFEST, NOISY_SHOTS
from ptnl.training.losses import LOSSES
from ptnl.training.run_files import draw_rows, open_features

Fit = Callable[[], tuple[torch.Tensor, torch.Tensor]]  # weights (R, C, D) and biases (R, C)


def draws_of(
    results: Path, dataset: str, backbone: str, fps: list[int], seeds: list[int]
) -> tuple[torch.Tensor, torch.Tensor, int]:
    """Features (R, N, D) and labels (R, N) of a sweep, and the number of classes."""
    manifest = read_parquet(results / f"manifests/{dataset}.parquet", MANIFEST)
    features_of = open_features(results / f"features/{dataset}/{backbone}.npy", manifest.image)
    draws = [
        read_parquet(results / f"noise/{dataset}/symmetric/fp-{fp}/seed-{s}.parquet", NOISY_SHOTS)
        for fp in fps
        for s in seeds
    ]
    labels = torch.tensor([draw.label.tolist() for draw in draws])
    return features_of(draw_rows(manifest, draws)), labels, int(manifest.label.max()) + 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True, help="results/<study>")
    parser.add_argument("--dataset", default="icons")
    parser.add_argument("--backbone", default="mini-rn")
    parser.add_argument("--fps", type=int, nargs="+", default=[0, 2, 4, 8])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--c", type=float, nargs="+", default=[30.0, 1000.0])
    args = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ConvergenceWarning)
    features, labels, classes = draws_of(
        args.results, args.dataset, args.backbone, args.fps, args.seeds
    )
    cross_entropy, x = LOSSES["ce"]({}), features.double()
    print(f"{len(x)} runs, {x.shape[1]} images of {x.shape[2]} dimensions, {classes} classes")

    def probabilities(weights: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return linear_probe.linear_logits(x, weights, bias).softmax(dim=-1)

    def together(c: float) -> tuple[torch.Tensor, torch.Tensor]:
        return linear_probe.fit(features, labels, classes, cross_entropy, c, 1000)[:2]

    def alone(c: float) -> tuple[torch.Tensor, torch.Tensor]:
        fitted = [
            linear_probe.fit(run[None], seen[None], classes, cross_entropy, c, 1000)[:2]
            for run, seen in zip(features, labels, strict=True)
        ]
        return tuple(torch.cat(parts) for parts in zip(*fitted, strict=True))

    def scikit_learn(c: float, tolerance: float) -> tuple[torch.Tensor, torch.Tensor]:
        fitted = [
            LogisticRegression(C=c, tol=tolerance, max_iter=1000).fit(run, seen)
            for run, seen in zip(x.numpy(), labels.numpy(), strict=True)
        ]
        return tuple(
            torch.tensor(np.stack([getattr(model, name) for model in fitted]))
            for name in ("coef_", "intercept_")
        )

    for c in args.c:
        usual, linear_probe.GRADIENT_TOLERANCE = linear_probe.GRADIENT_TOLERANCE, 1e-9
        optimum = probabilities(
            *linear_probe.fit(features, labels, classes, cross_entropy, c, 10_000)[:2]
        )
        linear_probe.GRADIENT_TOLERANCE = usual
        solvers: dict[str, Fit] = {
            "ours, all runs at once": lambda c=c: together(c),
            "ours, one run at a time": lambda c=c: alone(c),
            "scikit-learn, tol 1e-4": lambda c=c: scikit_learn(c, 1e-4),
            "scikit-learn, tol 1e-6": lambda c=c: scikit_learn(c, 1e-6),
        }
        print(f"C = {c:g}")
        first = None
        for name, solve in solvers.items():
            started = time.perf_counter()
            fitted = solve()
            seconds = time.perf_counter() - started
            first = first or seconds
            error = (probabilities(*fitted) - optimum).abs().max().item()
            print(
                f"  {name:24s} {seconds:7.2f} s  {seconds / first:5.2f}x  off by {error:.0e}",
                flush=True,
            )


if __name__ == "__main__":
    main()
