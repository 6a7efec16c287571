"""Fine-tune an image encoder in every run of a sweep, one folder a run."""

import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import torch

from ptnl.backbones.image_encoders import load_image_encoder
from ptnl.backbones.loading import choose_device
from ptnl.backbones.registry import IMAGE_ENCODERS
from ptnl.cli.entry import add_device, parser, start
from ptnl.data import DATASETS
from ptnl.errors import InputError
from ptnl.features import image_batches
from ptnl.grid import Run
from ptnl.io import read_metadata, read_parquet
from ptnl.losses import LOSSES
from ptnl.methods import METHODS
from ptnl.methods.finetune import Draw, tune
from ptnl.provenance import made_by
from ptnl.runs import class_names_of, split_of, write_run
from ptnl.schemas import MANIFEST, NOISY_SHOTS

METHOD = "finetune"
DECODED_TOGETHER = 256  # images


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--settings", type=json.loads, required=True, help="JSON, as in config")
    arguments.add_argument("--dataset", choices=DATASETS, required=True)
    arguments.add_argument("--backbone", required=True, help="in whose place an encoder is tuned")
    arguments.add_argument("--image-encoder", choices=IMAGE_ENCODERS, required=True)
    arguments.add_argument("--manifest", type=Path, required=True)
    arguments.add_argument(
        "--receipt", type=Path, required=True, help="of download_dataset; images lie beside it"
    )
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
    draws = [read_parquet(path, NOISY_SHOTS) for path in args.shots]
    asked = [read_metadata(path)["settings"] for path in args.shots]
    classes = len(class_names_of(manifest))
    encoder = load_image_encoder(args.image_encoder, classes, device)

    def images(names: pd.Series) -> Iterator[torch.Tensor]:
        paths = [args.receipt.parent / "images" / name for name in names]
        return image_batches(paths, encoder.transform, DECODED_TOGETHER, args.threads)

    def tensors(draw: pd.DataFrame, settings: dict) -> Draw:
        labels, labels_clean = (torch.tensor(draw[c].tolist()) for c in ("label", "label_clean"))
        return Draw(settings["seed"], torch.cat(list(images(draw.image))), labels, labels_clean)

    tuned = tune(
        encoder,
        map(tensors, draws, asked),  # one draw's images in memory at a time
        images(manifest.image[manifest.split == "test"]),
        LOSSES[METHODS[METHOD].loss](args.settings),
        args.settings,
    )

    seconds = (time.perf_counter() - started) / len(tuned)
    made = made_by("torch", "timm", "numpy", **args.settings)
    _, test_labels = split_of(manifest, "test")
    for folder, settings, draw, run in zip(args.out, asked, draws, tuned, strict=True):
        noise, fp, seed = settings["noise"], settings["fp"], settings["seed"]
        accuracy = write_run(
            folder,
            Run(args.dataset, args.backbone, METHOD, noise, fp, seed),
            run,
            draw,
            test_labels,
            shots=settings["shots"],
            epochs=args.settings["epochs"],
            seconds=seconds,
            device=device,
            made=made,
        )
        print(f"{METHOD} fp {fp} seed {seed}: {accuracy:.2f} %")


if __name__ == "__main__":
    start(main)
