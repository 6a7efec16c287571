"""Encode every image of a data set once, with the image encoder of a backbone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ptnl.backbones.loading import load_files
from ptnl.cli.entry import add_backbone_files, add_device, parser, start
from ptnl.devices import choose_device
from ptnl.features import encode_images
from ptnl.io import atomic_path, read_parquet
from ptnl.schemas import MANIFEST


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--manifest", type=Path, required=True)
    arguments.add_argument(
        "--receipt", type=Path, required=True, help="of download_dataset; images lie beside it"
    )
    arguments.add_argument("--backbone", required=True)
    add_backbone_files(arguments)
    arguments.add_argument(
        "--out", type=Path, required=True, help="features (NPY): (images, D), float16"
    )
    add_device(arguments)
    args = arguments.parse_args(argv)

    torch.set_num_threads(args.threads)
    manifest = read_parquet(args.manifest, MANIFEST)
    device = choose_device(args.device, args.gpu_share)
    backbone = load_files(args.backbone, args.model_config, args.weights, device, args.precision)
    images = [args.receipt.parent / "images" / name for name in manifest.image]
    features = encode_images(backbone, images, threads=args.threads)
    with atomic_path(args.out) as temporary:
        np.save(temporary, features)


if __name__ == "__main__":
    start(main)
