"""Label every image of a data set with zero-shot CLIP; write its test accuracy as a run."""

from collections.abc import Sequence
from pathlib import Path

import torch

from ptnl.backbones.text import read_text_backbone
from ptnl.cli.entry import add_backbone_files, add_device, number_of_shots, parser, start
from ptnl.io import read_parquet, write_parquet
from ptnl.labels.sampling import images_per_class
from ptnl.machine.devices import choose_device
from ptnl.methods.zero_shot import class_embeddings
from ptnl.provenance import made_by
from ptnl.schemas import MANIFEST, PSEUDO_LABELS
from ptnl.training.run import Run
from ptnl.training.run_files import (
    class_names_of,
    job_cost,
    open_features,
    run_metrics,
    split_of,
    write_logits,
)
from ptnl.training.tuning import cosine_logits, top1_accuracy

TOGETHER = 2**26  # most logits in memory at once


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--manifest", type=Path, required=True)
    arguments.add_argument("--features", type=Path, required=True)
    arguments.add_argument("--dataset", required=True)
    arguments.add_argument(
        "--template", required=True, help="hand-crafted prompt, in which {} stands for the class"
    )
    arguments.add_argument("--backbone", required=True)
    add_backbone_files(arguments)
    arguments.add_argument(
        "--shots", type=number_of_shots, required=True, help="shots of the study, for the run table"
    )
    arguments.add_argument("--labels", type=Path, required=True, help="pseudo-labels (Parquet)")
    arguments.add_argument("--run", type=Path, required=True, help="folder of the zero-shot run")
    add_device(arguments)
    args = arguments.parse_args(argv)

    torch.set_num_threads(args.threads)
    manifest = read_parquet(args.manifest, MANIFEST)
    device = choose_device(args.device, args.gpu_share)
    backbone = read_text_backbone(args.backbone, args.model_config, args.weights, device)
    names = class_names_of(manifest)
    embeddings = class_embeddings(backbone, names, args.template)
    is_test, test_labels = split_of(manifest, "test")
    true = torch.tensor(manifest.label.tolist())
    features_of = open_features(args.features, manifest.image)
    predictions, test_logits = [], []
    for rows in torch.arange(len(manifest)).split(max(1, TOGETHER // len(names))):
        features = features_of(rows).to(device)
        logits = cosine_logits(features, embeddings, backbone.logit_scale).cpu()
        confidence, pseudo_labels = logits.softmax(dim=-1).max(dim=-1)
        confused = logits.scatter(1, true[rows, None], -torch.inf).argmax(dim=-1)
        predictions.append((pseudo_labels, confidence.double(), confused))
        test_logits.append(logits[is_test[rows]])
    columns = zip(*predictions, strict=True)
    of_images = zip(("label_pseudo", "confidence", "label_confused"), columns, strict=True)
    labels = manifest[["image", "split", "label"]].assign(
        **{name: torch.cat(parts).numpy() for name, parts in of_images}
    )
    logits = torch.cat(test_logits)
    accuracy = top1_accuracy(logits, test_labels)
    print(f"zero-shot accuracy on {int(is_test.sum())} test images: {accuracy:.2f} %")
    made = made_by("torch", "open_clip_torch", template=args.template, backbone=args.backbone)
    write_parquet(labels, args.labels, PSEUDO_LABELS, made)
    write_logits(logits, args.run)
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
