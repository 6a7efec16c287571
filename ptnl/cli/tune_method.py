"""Train all runs of a sweep side by side, one folder a run."""

import json
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import torch

from ptnl.backbones.loading import choose_device, load_backbone
from ptnl.backbones.registry import BACKBONES
from ptnl.cli.entry import add_device, parser, start
from ptnl.data import DATASETS
from ptnl.errors import InputError
from ptnl.grid import Run
from ptnl.io import read_metadata, read_parquet
from ptnl.methods import METHODS
from ptnl.provenance import made_by
from ptnl.runs import class_names_of, draw_rows, read_features, split_of, write_run
from ptnl.schemas import MANIFEST, NOISY_SHOTS
from ptnl.tuning import Sweep


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    trained = [n for n, m in METHODS.items() if m.is_trained and m.trains_on == "features"]
    arguments.add_argument("--method", choices=trained, required=True)
    arguments.add_argument("--settings", type=json.loads, required=True, help="JSON, as in config")
    arguments.add_argument("--dataset", choices=DATASETS, required=True)
    arguments.add_argument("--template", required=True, help="hand-crafted prompt, {} the class")
    arguments.add_argument("--backbone", choices=BACKBONES, required=True)
    arguments.add_argument("--manifest", type=Path, required=True)
    arguments.add_argument("--features", type=Path, required=True)
    arguments.add_argument(
        "--shots", type=Path, nargs="+", required=True, help="labelled draws, one a run"
    )
    arguments.add_argument(
        "--out", type=Path, nargs="+", required=True, help="folders, one a run, in their order"
    )
    add_device(arguments)
    args = arguments.parse_args(argv)
    if len(args.shots) != len(args.out):
        raise InputError(f"{len(args.shots)} draws for {len(args.out)} run folders")

    torch.set_num_threads(args.threads)
    started = time.perf_counter()
    device = choose_device(args.device)
    manifest = read_parquet(args.manifest, MANIFEST)
    features = read_features(args.features, len(manifest)).to(device)
    draws = [read_parquet(path, NOISY_SHOTS) for path in args.shots]
    asked = [read_metadata(path)["settings"] for path in args.shots]
    rows = draw_rows(manifest, draws)
    is_test, test_labels = split_of(manifest, "test")

    def labels(column: str) -> torch.Tensor:
        return torch.tensor([draw[column].tolist() for draw in draws], device=device)

    sweep = Sweep(
        method=METHODS[args.method],
        settings=args.settings,
        backbone=load_backbone(args.backbone, device),
        class_names=class_names_of(manifest),
        template=args.template,
        seeds=[settings["seed"] for settings in asked],
        features=features[rows.to(device)],
        labels=labels("label"),
        labels_clean=labels("label_clean"),
        test_features=features[is_test.to(device)],
    )
    tuned = import_module(f"ptnl.methods.{sweep.method.module}").tune(sweep)

    seconds = (time.perf_counter() - started) / len(tuned)
    made = made_by("torch", "open_clip_torch", "numpy", **args.settings)
    for folder, settings, draw, run in zip(args.out, asked, draws, tuned, strict=True):
        noise, fp, seed = settings["noise"], settings["fp"], settings["seed"]
        accuracy = write_run(
            folder,
            Run(args.dataset, args.backbone, args.method, noise, fp, seed),
            run,
            draw,
            test_labels,
            shots=settings["shots"],
            epochs=args.settings.get("epochs", 0),
            seconds=seconds,
            device=device,
            made=made,
        )
        print(f"{args.method} fp {fp} seed {seed}: {accuracy:.2f} %")


if __name__ == "__main__":
    start(main)
