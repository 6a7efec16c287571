"""Encode augmented views of the test images; a killed call can be resumed."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from ptnl.backbones.assets import sha256
from ptnl.backbones.loading import load_files
from ptnl.cli.entry import (
    add_backbone_files,
    add_background,
    add_device,
    add_precision,
    parser,
    start,
)
from ptnl.features.encode import ImageEncoder
from ptnl.features.resumable import write_features
from ptnl.features.tpt_views import encoded_test_views
from ptnl.io import read_parquet
from ptnl.machine.devices import choose_device
from ptnl.provenance import fingerprint, made_by
from ptnl.schemas import MANIFEST


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--manifest", type=Path, required=True)
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
    arguments.add_argument("--views", type=int, required=True, help="how many views of each image")
    arguments.add_argument("--flips", action=argparse.BooleanOptionalAction, required=True)
    arguments.add_argument(
        "--out", type=Path, required=True, help="features (NPY): (views, images, D), float16"
    )
    add_device(arguments)
    args = arguments.parse_args(argv)

    torch.set_num_threads(args.threads)
    manifest = read_parquet(args.manifest, MANIFEST)
    names = manifest.image[manifest.split == "test"].tolist()
    device = choose_device(args.device, args.gpu_share)
    backbone = load_files(args.backbone, args.model_config, args.weights, device, args.precision)
    encoder = ImageEncoder(backbone)
    made = made_by(
        "torch",
        "torchvision",
        "open_clip_torch",
        views=args.views,
        flips=args.flips,
        backbone=args.backbone,
        precision=args.precision,
        transparent_on=args.transparent_on,
    )
    files = [sha256(path) for path in (args.receipt, args.model_config, args.weights)]
    write_features(
        args.out,
        (args.views, len(names), encoder.dimension),
        fingerprint(made, names, files, device.type),
        lambda done: encoded_test_views(
            encoder,
            names[done:],
            args.receipt.parent / "images",
            args.views,
            args.flips,
            args.threads,
            args.transparent_on,
        ),
        unit="view",
    )


if __name__ == "__main__":
    start(main)
