"""Train all runs of a sweep side by side, one folder per run."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import torch

from ptnl.backbones.text import read_text_backbone
from ptnl.cli.entry import add_backbone_files, add_job, add_precision, parse_job, parser, start
from ptnl.errors import InputError
from ptnl.io import read_metadata, read_parquet
from ptnl.machine.devices import choose_device
from ptnl.machine.memory import keep_freed_memory
from ptnl.methods import METHODS
from ptnl.provenance import made_by
from ptnl.schemas import MANIFEST
from ptnl.training.run_files import (
    class_names_of,
    draw_rows,
    job_cost,
    open_features,
    read_draw,
    read_views,
    split_of,
    write_runs,
)
from ptnl.training.tuning import SweepData, TunedRun


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    choices = [n for n, m in METHODS.items() if m.is_trained and m.trains_on == "features"]
    arguments.add_argument("--method", choices=choices, required=True)
    add_job(arguments)
    add_backbone_files(arguments)
    add_precision(arguments)
    arguments.add_argument(
        "--template", required=True, help="hand-crafted prompt, in which {} stands for the class"
    )
    arguments.add_argument("--features", type=Path, required=True)
    arguments.add_argument(
        "--views",
        type=Path,
        nargs="*",
        default=[],
        help="features of augmented views (NPY), one file per seed",
    )
    arguments.add_argument(
        "--view-images",
        type=Path,
        nargs="*",
        default=[],
        help="names of the images of these views (Parquet), in the same order",
    )
    arguments.add_argument(
        "--gradients-at",
        type=int,
        nargs="?",  # no value for jobs that measure no gradients
        help="number of wrong labels per class at which to measure gradients",
    )
    args = parse_job(arguments, argv)
    if len(args.views) != len(args.view_images):
        raise InputError(f"{len(args.views)} --views, but {len(args.view_images)} --view-images")

    keep_freed_memory()
    torch.set_num_threads(args.threads)
    device = choose_device(args.device, args.gpu_share)
    manifest = read_parquet(args.manifest, MANIFEST)
    draws = [read_draw(path) for path in args.shots]
    is_test, test_labels = split_of(manifest, "test")
    features_of = open_features(args.features, manifest.image)
    test_features = features_of(is_test.nonzero()[:, 0]).to(device)
    backbone = read_text_backbone(
        args.backbone, args.model_config, args.weights, device, args.precision
    )
    class_names = class_names_of(manifest)
    method = METHODS[args.method]
    tune: Callable[[SweepData], list[TunedRun]] = import_module(
        f"ptnl.methods.{method.module}"
    ).tune
    view_files = list(zip(args.views, args.view_images, strict=True))

    def train(together: list[int]) -> list[TunedRun]:
        """Train the runs at these positions, whose draws have equally many images."""
        own = [draws[run].rows for run in together]
        seeds = [draws[run].seed for run in together]

        def labels(column: str) -> torch.Tensor:
            return torch.tensor([draw[column].tolist() for draw in own], device=device)

        return tune(
            SweepData(
                method=method,
                settings=args.settings,
                backbone=backbone,
                class_names=class_names,
                template=args.template,
                seeds=seeds,
                features=features_of(draw_rows(manifest, own)).to(device),
                labels=labels("label"),
                labels_clean=labels("label_clean"),
                test_features=test_features,
                views=read_views(view_files, seeds, own, device) if view_files else None,
                gradients_of=[
                    at for at, run in enumerate(together) if draws[run].fp == args.gradients_at
                ],
            )
        )

    # Draws with imported images may be smaller, because an image can be drawn twice. Draws of equal
    # size train together.
    by_size: dict[int, list[int]] = {}
    for run, draw in enumerate(draws):
        by_size.setdefault(len(draw.rows), []).append(run)
    trained = {
        run: result
        for together in by_size.values()
        for run, result in zip(together, train(together), strict=True)
    }
    tuned = [trained[run] for run in range(len(draws))]

    augmented = read_metadata(args.view_images[0])["settings"] if view_files else {"views": 0}
    seen = {name: augmented[name] for name in ("views", "train_transform") if name in augmented}
    settings = {**args.settings, **seen, "precision": args.precision}
    made = made_by("torch", "open_clip_torch", "numpy", **settings)
    write_runs(
        args.out,
        (args.dataset, args.backbone, args.method),
        draws,
        tuned,
        test_labels,
        classes=len(class_names),
        epochs=args.settings.get("epochs", 0),
        cost=job_cost(len(tuned), device),
        made=made,
    )


if __name__ == "__main__":
    start(main)
