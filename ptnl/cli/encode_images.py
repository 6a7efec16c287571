"""Encode every image of a data set once; a killed call goes on where it was."""

from collections.abc import Sequence
from pathlib import Path

import torch

from ptnl.assets import sha256
from ptnl.backbones.loading import load_backbone
from ptnl.backbones.registry import BACKBONES
from ptnl.cli.entry import add_device, parser, start
from ptnl.devices import choose_device
from ptnl.features import ImageEncoder, encoded_batches
from ptnl.io import read_parquet
from ptnl.provenance import fingerprint, made_by
from ptnl.resumable import write_features
from ptnl.schemas import MANIFEST


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--manifest", type=Path, required=True)
    arguments.add_argument(
        "--receipt", type=Path, required=True, help="of download_dataset; images lie beside it"
    )
    arguments.add_argument("--backbone", choices=BACKBONES, required=True)
    arguments.add_argument(
        "--out", type=Path, required=True, help="features (NPY): (images, D), float16"
    )
    add_device(arguments)
    args = arguments.parse_args(argv)

    torch.set_num_threads(args.threads)
    manifest = read_parquet(args.manifest, MANIFEST)
    device = choose_device(args.device, args.gpu_share)
    encoder = ImageEncoder(load_backbone(args.backbone, device))
    images = [args.receipt.parent / "images" / name for name in manifest.image]
    made = made_by("torch", "torchvision", "open_clip_torch", backbone=args.backbone)
    decides = [made, manifest.image.tolist(), sha256(args.receipt), device.type]
    write_features(
        args.out,
        (len(images), encoder.dimension),
        fingerprint(*decides),
        lambda done: encoded_batches(encoder, images[done:], args.threads),
        unit="image",
    )


if __name__ == "__main__":
    start(main)
