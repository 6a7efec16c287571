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
from ptnl.runs import (
    class_names_of,
    draw_rows,
    read_features,
    read_views,
    run_metrics,
    split_of,
    write_history,
    write_logits,
    write_weights,
)
from ptnl.schemas import MANIFEST, NOISY_SHOTS
from ptnl.tuning import Sweep, top1_accuracy


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    trained = [name for name, method in METHODS.items() if method.is_trained]
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
        "--views", type=Path, nargs="*", default=[], help="augmented views (NPY), one a seed"
    )
    arguments.add_argument(
        "--view-images", type=Path, nargs="*", default=[], help="their images, in their order"
    )
    arguments.add_argument(
        "--out", type=Path, nargs="+", required=True, help="folders, one a run, in their order"
    )
    add_device(arguments)
    args = arguments.parse_args(argv)
    if len(args.shots) != len(args.out):
        raise InputError(f"{len(args.shots)} draws for {len(args.out)} run folders")
    if len(args.views) != len(args.view_images):
        raise InputError(f"{len(args.views)} --views, but {len(args.view_images)} --view-images")

    torch.set_num_threads(args.threads)
    started = time.perf_counter()
    device = choose_device(args.device)
    manifest = read_parquet(args.manifest, MANIFEST)
    features = read_features(args.features, len(manifest)).to(device)
    draws = [read_parquet(path, NOISY_SHOTS) for path in args.shots]
    asked = [read_metadata(path)["settings"] for path in args.shots]
    rows = draw_rows(manifest, draws)
    is_test, test_labels = split_of(manifest, "test")
    seeds = [settings["seed"] for settings in asked]
    view_files = list(zip(args.views, args.view_images, strict=True))

    def labels(column: str) -> torch.Tensor:
        return torch.tensor([draw[column].tolist() for draw in draws], device=device)

    sweep = Sweep(
        method=METHODS[args.method],
        settings=args.settings,
        backbone=load_backbone(args.backbone, device),
        class_names=class_names_of(manifest),
        template=args.template,
        seeds=seeds,
        features=features[rows.to(device)],
        labels=labels("label"),
        labels_clean=labels("label_clean"),
        test_features=features[is_test.to(device)],
        views=read_views(view_files, seeds, draws, device) if view_files else None,
    )
    tuned = import_module(f"ptnl.methods.{sweep.method.module}").tune(sweep)

    seconds = (time.perf_counter() - started) / len(tuned)
    augmented = read_metadata(args.view_images[0])["settings"] if view_files else {"views": 0}
    seen = {name: augmented[name] for name in ("views", "train_transform") if name in augmented}
    made = made_by("torch", "open_clip_torch", "numpy", **{**args.settings, **seen})
    for folder, settings, draw, run in zip(args.out, asked, draws, tuned, strict=True):
        logits = run.test_logits.cpu()
        accuracy = top1_accuracy(logits, test_labels)
        noise, fp, seed = settings["noise"], settings["fp"], settings["seed"]
        print(f"{args.method} fp {fp} seed {seed}: {accuracy:.2f} %")
        write_history(run.history, folder, made)
        write_weights(run.weights, folder)
        write_logits(logits, folder)
        run_metrics(
            folder,
            Run(args.dataset, args.backbone, args.method, noise, fp, seed),
            shots=settings["shots"],
            rate_realised=100 * float(draw.is_noisy.mean()),
            accuracy=accuracy,
            epochs=args.settings.get("epochs", 0),
            parameters=run.parameters,
            seconds=seconds,
            device=device,
            made=made,
        )


if __name__ == "__main__":
    start(main)
