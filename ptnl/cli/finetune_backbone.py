"""Fine-tune an image encoder in every run of a sweep, one folder per run."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import torch

from ptnl.backbones.image_encoders import read_image_encoder
from ptnl.cli.entry import add_background, add_job, add_views, parse_job, parser, start
from ptnl.features.encode import image_batches
from ptnl.features.images import read_pixels
from ptnl.features.views import Augmentation, augmented_views, random_numbers
from ptnl.io import read_parquet
from ptnl.machine.devices import choose_device
from ptnl.machine.memory import keep_freed_memory
from ptnl.methods import METHODS
from ptnl.methods.finetune import Draw, tune
from ptnl.provenance import made_by
from ptnl.schemas import MANIFEST
from ptnl.training.losses import LOSSES
from ptnl.training.run_files import (
    LabelledDraw,
    class_names_of,
    job_cost,
    read_draw,
    split_of,
    write_runs,
)

METHOD = "finetune"
DECODED_TOGETHER = 256  # images


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    add_job(arguments)
    arguments.add_argument(
        "--encoder-config",
        type=Path,
        required=True,
        help="timm configuration of the image encoder (JSON)",
    )
    arguments.add_argument(
        "--encoder-weights",
        type=Path,
        required=True,
        help="weights of the image encoder, with or without a classifier (safetensors)",
    )
    arguments.add_argument(
        "--receipt",
        type=Path,
        required=True,
        help="receipt that download_dataset wrote; the images lie beside it",
    )
    add_background(arguments)
    add_views(arguments)
    args = parse_job(arguments, argv)

    keep_freed_memory()
    torch.set_num_threads(args.threads)
    device = choose_device(args.device, args.gpu_share)
    manifest = read_parquet(args.manifest, MANIFEST)
    draws = [read_draw(path) for path in args.shots]
    classes = len(class_names_of(manifest))
    encoder = read_image_encoder(
        args.encoder_config,
        args.encoder_weights,
        classes,
        device,
        args.settings["head"],
        args.settings["preparation"],
    )
    augmentation = Augmentation.by_name(args.transform, encoder.size, args.flips)

    def paths(names: pd.Series) -> list[Path]:
        return [args.receipt.parent / "images" / name for name in names]

    def images(names: pd.Series) -> Iterator[torch.Tensor]:
        return image_batches(
            paths(names), encoder.transform, DECODED_TOGETHER, args.threads, args.transparent_on
        )

    def images_at(draw: LabelledDraw) -> Callable[[int], torch.Tensor]:
        """Epoch (from 0) -> the images (N, 3, S, S) of a draw, as training sees them."""
        names = draw.rows.image
        if not args.views:
            always = torch.cat(list(images(names)))
            return lambda epoch: always
        pixels = [read_pixels(path, args.transparent_on).to(device) for path in paths(names)]
        numbers = [random_numbers(draw.seed, name, args.views) for name in names]

        def of_epoch(epoch: int) -> torch.Tensor:
            view = slice(epoch % args.views, epoch % args.views + 1)
            pairs = zip(pixels, numbers, strict=True)
            # Sorted by channel, as `images` gives them: the order decides how convolutions round.
            views = [augmented_views(p, n[view], augmentation) for p, n in pairs]
            return torch.cat(views).contiguous()

        return of_epoch

    def tensors(draw: LabelledDraw) -> Draw:
        rows = draw.rows
        labels, labels_clean = (torch.tensor(rows[c].tolist()) for c in ("label", "label_clean"))
        return Draw(draw.seed, images_at(draw), labels, labels_clean)

    tuned = tune(
        encoder,
        map(tensors, draws),  # only one draw's images are in memory at a time
        images(manifest.image[manifest.split == "test"]),
        LOSSES[METHODS[METHOD].loss](args.settings),
        args.settings,
    )

    seen = {"views": args.views}
    if args.views:
        seen["train_transform"] = args.transform
    made = made_by("torch", "timm", "numpy", **args.settings, **seen)
    _, test_labels = split_of(manifest, "test")
    write_runs(
        args.out,
        (args.dataset, args.backbone, METHOD),
        draws,
        tuned,
        test_labels,
        classes=classes,
        epochs=args.settings["epochs"],
        cost=job_cost(len(tuned), device),
        made=made,
    )


if __name__ == "__main__":
    start(main)
