"""Tune prompts on each test image (TPT); write accuracies before and after."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file

from ptnl.backbones.text import read_text_backbone
from ptnl.cli.entry import add_backbone_files, add_device, parser, start
from ptnl.io import read_json, read_parquet, write_parquet
from ptnl.machine.devices import choose_device
from ptnl.machine.memory import keep_freed_memory
from ptnl.methods.tpt import starting_tokens, tune_at_test
from ptnl.provenance import made_by
from ptnl.schemas import MANIFEST, TPT
from ptnl.training.run_files import class_names_of, split_of
from ptnl.training.tuning import top1_accuracy


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--dataset", required=True)
    arguments.add_argument("--backbone", required=True)
    add_backbone_files(arguments)
    arguments.add_argument("--manifest", type=Path, required=True)
    arguments.add_argument(
        "--views", type=Path, required=True, help="features of views of the test images (NPY)"
    )
    arguments.add_argument(
        "--runs",
        type=Path,
        nargs="*",
        default=[],
        help="folders of the runs whose contexts to start with",
    )
    arguments.add_argument("--settings", type=json.loads, required=True, help="hyper-parameters")
    arguments.add_argument(
        "--out", type=Path, required=True, help="accuracies, one row per start (Parquet)"
    )
    add_device(arguments)
    args = arguments.parse_args(argv)

    keep_freed_memory()
    torch.set_num_threads(args.threads)
    manifest = read_parquet(args.manifest, MANIFEST)
    device = choose_device(args.device, args.gpu_share)
    backbone = read_text_backbone(args.backbone, args.model_config, args.weights, device)
    _, labels = split_of(manifest, "test")
    views = torch.from_numpy(np.load(args.views, allow_pickle=False)).transpose(0, 1).float()
    here = {"dataset": args.dataset, "backbone": args.backbone}
    starts: list[tuple[dict[str, Any], torch.Tensor | None]] = [
        ({"method": "", "noise": "none", "fp": 0, "seed": 0, "rate": 0.0}, None)
    ]
    for folder in args.runs:
        metrics = read_json(folder / "metrics.json")
        run = {name: metrics[name] for name in ("method", "noise", "fp", "seed", "rate")}
        starts.append((run, load_file(folder / "weights.safetensors")["context"]))
    rows = []
    for run, context in starts:
        tokens = starting_tokens(backbone) if context is None else context.to(device)
        logits = tune_at_test(backbone, class_names_of(manifest), tokens, views, args.settings)
        before, after = (top1_accuracy(part.cpu(), labels) for part in logits)
        rows.append({**here, **run, "accuracy_start": before, "accuracy": after})
        print(f"{run['method'] or 'a photo of a'} fp {run['fp']}: {before:.2f} -> {after:.2f} %")
    made = made_by("torch", "open_clip_torch", **args.settings)
    write_parquet(pd.DataFrame(rows)[list(TPT)], args.out, TPT, made)


if __name__ == "__main__":
    start(main)
