"""Label every image of a data set with zero-shot CLIP; its test accuracy is a run of the study."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from ptnl.backbones.text import read_text_backbone
from ptnl.cli.entry import add_backbone_files, add_device, number_of_shots, parser, start
from ptnl.io import read_parquet, write_parquet
from ptnl.labels.sampling import images_per_class
from ptnl.machine.devices import choose_device
from ptnl.methods.zero_shot import zero_shot_logits
from ptnl.provenance import made_by
from ptnl.schemas import MANIFEST, PSEUDO_LABELS
from ptnl.training.run import Run
from ptnl.training.run_files import (
    class_names_of,
    job_cost,
    read_features,
    run_metrics,
    split_of,
    write_logits,
)
from ptnl.training.tuning import top1_accuracy


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--manifest", type=Path, required=True)
    arguments.add_argument("--features", type=Path, required=True)
    arguments.add_argument("--dataset", required=True)
    arguments.add_argument("--template", required=True, help="hand-crafted prompt, {} the class")
    arguments.add_argument("--backbone", required=True)
    add_backbone_files(arguments)
    arguments.add_argument(
        "--shots", type=number_of_shots, required=True, help="of the study, for its table"
    )
    arguments.add_argument("--labels", type=Path, required=True, help="pseudo-labels (Parquet)")
    arguments.add_argument("--run", type=Path, required=True, help="folder of the zero-shot run")
    add_device(arguments)
    args = arguments.parse_args(argv)

    torch.set_num_threads(args.threads)
    manifest = read_parquet(args.manifest, MANIFEST)
    device = choose_device(args.device, args.gpu_share)
    backbone = read_text_backbone(args.backbone, args.model_config, args.weights, device)
    features = read_features(args.features, manifest.image.tolist()).to(backbone.device)
    logits = zero_shot_logits(backbone, features, class_names_of(manifest), args.template).cpu()
    confidence, pseudo = logits.softmax(dim=-1).max(dim=-1)
    true = torch.tensor(manifest.label.tolist())[:, None]
    confused = logits.scatter(1, true, -torch.inf).argmax(dim=-1)
    labels = pd.DataFrame(
        {
            "image": manifest.image,
            "split": manifest.split,
            "label": manifest.label,
            "label_pseudo": pseudo.numpy(),
            "confidence": confidence.double().numpy(),
            "label_confused": confused.numpy(),
        }
    )
    is_test, test_labels = split_of(manifest, "test")
    accuracy = top1_accuracy(logits[is_test], test_labels)
    print(f"zero-shot accuracy on {int(is_test.sum())} test images: {accuracy:.2f} %")
    made = made_by("torch", "open_clip_torch", template=args.template, backbone=args.backbone)
    write_parquet(labels, args.labels, PSEUDO_LABELS, made)
    write_logits(logits[is_test], args.run)
    run_metrics(
        args.run,
        Run(args.dataset, args.backbone, "zero_shot", "none", 0, 0),
        shots=args.shots or images_per_class(manifest),
        rate_realised=0.0,
        shots_per_class=0.0,
        accuracy=accuracy,
        epochs=0,
        parameters=0,
        cost=job_cost(1, backbone.device),
        made=made,
    )


if __name__ == "__main__":
    start(main)
