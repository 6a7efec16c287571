"""Encode every image of a data set once; a killed call can be resumed."""

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
from ptnl.features.encode import ImageEncoder, encoded_batches
from ptnl.features.resumable import write_features
from ptnl.io import read_parquet
from ptnl.machine.devices import choose_device
from ptnl.provenance import fingerprint, made_by, names_digest
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
    arguments.add_argument(
        "--out", type=Path, required=True, help="features (NPY): (images, D), float16"
    )
    add_device(arguments)
    args = arguments.parse_args(argv)

    torch.set_num_threads(args.threads)
    manifest = read_parquet(args.manifest, MANIFEST)
    device = choose_device(args.device, args.gpu_share)
    backbone = load_files(args.backbone, args.model_config, args.weights, device, args.precision)
    encoder = ImageEncoder(backbone)
    images = [args.receipt.parent / "images" / name for name in manifest.image]
    made = made_by(
        "torch",
        "torchvision",
        "open_clip_torch",
        backbone=args.backbone,
        precision=args.precision,
        transparent_on=args.transparent_on,
    )
    files = [sha256(path) for path in (args.receipt, args.model_config, args.weights)]
    decides = [made, manifest.image.tolist(), files, device.type]
    write_features(
        args.out,
        (len(images), encoder.dimension),
        fingerprint(*decides),
        lambda done: encoded_batches(encoder, images[done:], args.threads, args.transparent_on),
        unit="image",
        images=names_digest(manifest.image),
    )


if __name__ == "__main__":
    start(main)
