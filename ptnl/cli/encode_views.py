"""Encode augmented views of a seed's training images; a killed call can be resumed."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from ptnl.backbones.assets import sha256
from ptnl.backbones.loading import load_files
from ptnl.cli.entry import (
    add_backbone_files,
    add_background,
    add_device,
    add_precision,
    add_views,
    parser,
    start,
)
from ptnl.features.encode import ImageEncoder
from ptnl.features.resumable import write_features
from ptnl.features.views import Augmentation, encoded_views
from ptnl.io import read_parquet, write_parquet
from ptnl.machine.devices import choose_device
from ptnl.provenance import fingerprint, made_by, names_digest
from ptnl.schemas import NOISY_SHOTS, SHOTS, VIEW_IMAGES


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--shots", type=Path, required=True, help="the few-shot draw (Parquet)")
    arguments.add_argument(
        "--draws",
        type=Path,
        nargs="*",
        default=[],
        help="further draws (Parquet), if they hold other images",
    )
    arguments.add_argument(
        "--receipt",
        type=Path,
        required=True,
        help="receipt that download_dataset wrote; the images lie beside it",
    )
    arguments.add_argument("--backbone", required=True)
    add_backbone_files(arguments)
    add_precision(arguments)
    add_background(arguments)
    arguments.add_argument("--seed", type=int, required=True)
    add_views(arguments)
    arguments.add_argument(
        "--out", type=Path, required=True, help="features (NPY): (views, images, D), float16"
    )
    arguments.add_argument(
        "--images",
        type=Path,
        required=True,
        help="names of the images, in the order of the features (Parquet)",
    )
    add_device(arguments)
    args = arguments.parse_args(argv)

    torch.set_num_threads(args.threads)
    shots = read_parquet(args.shots, SHOTS)
    draws = [shots[shots.split == "train"], *(read_parquet(p, NOISY_SHOTS) for p in args.draws)]
    images = pd.concat([draw[["image"]] for draw in draws]).drop_duplicates(ignore_index=True)
    device = choose_device(args.device, args.gpu_share)
    backbone = load_files(args.backbone, args.model_config, args.weights, device, args.precision)
    encoder = ImageEncoder(backbone)
    augmentation = Augmentation.by_name(args.transform, backbone.image_size, args.flips)
    made = made_by(
        "torch",
        "torchvision",
        "open_clip_torch",
        seed=args.seed,
        views=args.views,
        train_transform=args.transform,
        flips=args.flips,
        backbone=args.backbone,
        precision=args.precision,
        transparent_on=args.transparent_on,
    )
    names = images.image.tolist()
    files = [sha256(path) for path in (args.receipt, args.model_config, args.weights)]
    decides = [made, names, files, device.type]
    write_features(
        args.out,
        (args.views, len(names), encoder.dimension),
        fingerprint(*decides),
        lambda done: encoded_views(
            encoder,
            names[done:],
            args.receipt.parent / "images",
            args.seed,
            args.views,
            augmentation,
            args.threads,
            args.transparent_on,
        ),
        unit="view",
        images=names_digest(names),
    )
    write_parquet(images, args.images, VIEW_IMAGES, made)


if __name__ == "__main__":
    start(main)
