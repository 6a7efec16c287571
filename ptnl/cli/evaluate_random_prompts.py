"""Classify test images with random prompts; write accuracies and a confusion matrix."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from ptnl.backbones.text import read_text_backbone
from ptnl.cli.entry import add_backbone_files, add_device, parser, start
from ptnl.io import read_parquet, write_parquet
from ptnl.machine.devices import choose_device
from ptnl.machine.memory import keep_freed_memory
from ptnl.methods.random_prompt import random_prompts
from ptnl.provenance import made_by
from ptnl.schemas import CONFUSION, MANIFEST, RANDOM_PROMPTS
from ptnl.training.run_files import class_names_of, open_features, split_of


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--dataset", required=True)
    arguments.add_argument("--backbone", required=True)
    add_backbone_files(arguments)
    arguments.add_argument("--manifest", type=Path, required=True)
    arguments.add_argument("--features", type=Path, required=True)
    arguments.add_argument("--context-length", type=int, default=16)
    arguments.add_argument("--draws", type=int, default=100)
    arguments.add_argument(
        "--accuracy",
        type=Path,
        required=True,
        help="accuracies, one row per random prompt (Parquet)",
    )
    arguments.add_argument(
        "--confusion",
        type=Path,
        required=True,
        help="confusion matrix, one row per pair of classes (Parquet)",
    )
    add_device(arguments)
    args = arguments.parse_args(argv)

    keep_freed_memory()
    torch.set_num_threads(args.threads)
    manifest = read_parquet(args.manifest, MANIFEST)
    device = choose_device(args.device, args.gpu_share)
    backbone = read_text_backbone(args.backbone, args.model_config, args.weights, device)
    is_test, labels = split_of(manifest, "test")
    features_of = open_features(args.features, manifest.image)
    features = features_of(is_test.nonzero()[:, 0]).to(backbone.device)
    names = class_names_of(manifest)
    accuracy, confusion = random_prompts(
        backbone, features, labels, names, args.context_length, args.draws
    )
    print(f"{args.draws} random prompts: {accuracy.mean():.2f} +- {accuracy.std(ddof=1):.2f} %")
    where = {"dataset": args.dataset, "backbone": args.backbone}
    made = made_by("torch", "open_clip_torch", context_length=args.context_length)
    drawn = pd.DataFrame({**where, "draw": range(args.draws), "accuracy": accuracy})
    write_parquet(drawn, args.accuracy, RANDOM_PROMPTS, made)
    tidy = pd.DataFrame(
        {
            **where,
            "true_class": [name for name in names for _ in names],
            "predicted_class": names * len(names),
            "percent": confusion.flatten(),
        }
    )
    write_parquet(tidy, args.confusion, CONFUSION, made)


if __name__ == "__main__":
    start(main)
