"""Write the model card: what the backbones learnt from, how, and what they can do, as measured."""

import argparse
import io
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml
from PIL import Image
from pretrain_labels import commonest_names

from ptnl.backbones.assets import FOLDER, verified
from ptnl.backbones.image_encoders import load_image_encoder
from ptnl.backbones.loading import LoadedBackbone, load_backbone
from ptnl.data import DATASETS
from ptnl.data.embedded import IMAGES
from ptnl.io import read_parquet, write_text
from ptnl.labels.sampling import draw_shots
from ptnl.methods.linear_probe import fit, linear_logits
from ptnl.methods.zero_shot import zero_shot_logits
from ptnl.training.losses import LOSSES
from ptnl.training.run_files import class_names_of, split_of
from ptnl.training.tuning import top1_accuracy

SEEDS = (1, 2, 3, 4)


@torch.inference_mode()
def features_of(backbone: LoadedBackbone, table: pd.DataFrame) -> torch.Tensor:
    """Image features (N, D) of a shipped data set."""
    images = [backbone.transform(Image.open(io.BytesIO(png)).convert("RGB")) for png in table.png]
    return torch.cat(
        [
            backbone.model.encode_image(torch.stack(images[i : i + 256]))
            for i in range(0, len(images), 256)
        ]
    )


def measure(backbone: LoadedBackbone, dataset: str, c: float) -> dict[str, float]:
    """Zero-shot and 16-shot linear-probe accuracy (percent) on the test images of a data set."""
    table = read_parquet(verified(f"{dataset}.parquet"), IMAGES)
    names = class_names_of(table)
    features = features_of(backbone, table)
    labels = torch.tensor(table.label.tolist())
    is_test, test_labels = split_of(table, "test")
    logits = zero_shot_logits(backbone, features, names, DATASETS[dataset].template)
    rows = []
    for seed in SEEDS:
        shots = draw_shots(table, 16, seed)
        rows.append(table.index[table.image.isin(shots.image[shots.split == "train"])].tolist())
    drawn = torch.tensor(rows)  # (seeds, images)
    weights, bias, _ = fit(features[drawn], labels[drawn], len(names), LOSSES["ce"]({}), c, 1000)
    scores = linear_logits(features[is_test].double(), weights, bias)
    probes = [top1_accuracy(own, test_labels) for own in scores]
    return {
        "classes": len(names),
        "test": int(is_test.sum()),
        "zero_shot": top1_accuracy(logits[is_test], test_labels),
        "probe": float(np.mean(probes)),
        "probe_sd": float(np.std(probes, ddof=1)),
    }


def image_encoder_lines(name: str, config: dict, pairs: pd.DataFrame) -> list[str]:
    """What an image encoder for fine-tuning is, and what its labels have in common with ours."""
    spec, hp = config["image_encoders"][name], config["label_pretraining"][name]
    model = load_image_encoder(name, hp["names"], torch.device("cpu")).model
    head = sum(parameter.numel() for parameter in model.get_classifier().parameters())
    size = sum(parameter.numel() for parameter in model.parameters()) - head
    megabytes = (FOLDER / f"{name}.safetensors").stat().st_size / 1e6
    names = commonest_names(pairs.name, hp["names"])
    lines = [
        "",
        f"## {name}",
        "",
        "The image encoder that fine-tuning starts from (method `finetune`), in the place of an",
        "ImageNet-pretrained one: pre-trained with labels only, on drawings that mini-rn saw too;",
        "not on ImageNet. Names are class numbers to it, it has no text encoder.",
        "",
        f"timm's `{spec['architecture']}` with channels {spec['model_args']['channels']}, "
        f"{spec['pretrained_cfg']['input_size'][-1]} px, {size:,} parameters without its head, "
        f"{megabytes:.1f} MB. It learnt to",
        f"tell the {hp['names']:,} commonest names apart, on the {pairs.name.isin(names).sum():,} "
        f"drawings that have them: cross-entropy with label smoothing {hp['label_smoothing']:g},",
        f"AdamW, one cycle, batch {hp['batch_size']}, {hp['samples']:,} drawings seen. Among these "
        "names are most classes of the data sets,",
        "unlike ImageNet's and those of the paper's data sets, so it starts with an advantage:",
        "",
        "| data set | classes | of them among the names |",
        "|---|---:|---:|",
    ]
    for dataset in config["datasets"]:
        classes = class_names_of(read_parquet(verified(f"{dataset}.parquet"), IMAGES))
        lines.append(f"| {dataset} | {len(classes)} | {len(set(classes) & set(names))} |")
    return lines


def distilled_lines(name: str, recipe: dict) -> list[str]:
    """How an image tower learnt from a teacher."""
    return [
        "",
        f"{name} has the text tower of {recipe['teacher']}, unchanged. Its image tower learnt the",
        f"contrastive task against the names' embeddings and to agree with {recipe['teacher']}'s",
        f"image features ({recipe['agreement']:g} (1 - cos)): Muon, batch {recipe['batch_size']}, "
        f"{recipe['batch_size'] * recipe['steps']:,} drawings seen,",
        f"with {recipe['patch_dropout']:.0%} of the patches left out but in the last "
        f"{recipe['whole_images']:.0%} of the steps.",
    ]


def card(config: dict, c: float, pairs: pd.DataFrame) -> str:
    """The model card as Markdown; `c` is the linear probe's inverse penalty."""
    backbones = {name: load_backbone(name, torch.device("cpu")) for name in config["backbones"]}
    lines = [
        "# Model card: mini-rn and mini-vit",
        "",
        "Generated by `workflow/embedded/write_model_card.py`; it measured every number below.",
        "",
        "Small CLIPs (open_clip's `CLIP` class) for the embedded study: vision-language models of",
        "a small world, drawings of open icon sets and their names. They are made to study prompt",
        "tuning where no CLIP weights can be had, and for nothing else: they know no photographs,",
        "and numbers obtained with them are not the paper's.",
        "",
        "## What they are",
        "",
        "| | image encoder | image parameters | text parameters, without tokens | embedding | "
        "logit scale | file |",
        "|---|---|---:|---:|---:|---:|---:|",
    ]
    for name, backbone in backbones.items():
        sizes = {n: p.numel() for n, p in backbone.model.named_parameters()}
        image = sum(size for n, size in sizes.items() if n.startswith("visual."))
        text = sum(sizes.values()) - image - sizes["token_embedding.weight"]
        vision = config["backbones"][name]["vision_cfg"]
        kind = "ViT" if "patch_size" in vision else "ModifiedResNet"
        megabytes = (FOLDER / f"{name}.safetensors").stat().st_size / 1e6
        lines.append(
            f"| {name} | {kind}, layers {vision['layers']}, width {vision['width']}, 64 px "
            f"| {image:,} | {text:,} | {backbone.model.visual.output_dim} "
            f"| {backbone.logit_scale:.1f} | {megabytes:.1f} MB |"
        )
    hp = config["pretraining"]
    lines += [
        "",
        "## What they learnt from",
        "",
        f"{len(pairs):,} drawings with {pairs.name.nunique():,} names, of "
        f"{pairs.icon_set.nunique()} icon sets of `{config['package']}`, permissively licensed.",
        "No drawing of the data sets' icon sets is among them, and the data sets hold no",
        "near-duplicate of a drawing that is (cosine similarity of the ink above "
        f"{config['duplicate_similarity']}).",
        "Monochrome drawings are painted in random colours, all are shifted, scaled and turned a",
        "little, none is flipped; captions name the drawing and its colours in 3 to 40 tokens.",
        "",
        f"mini-rn: symmetric contrastive loss, AdamW, one cycle, batch {hp['batch_size']}, "
        f"{hp['samples']:,} drawings seen.",
        *(line for student in config["distillation"].items() for line in distilled_lines(*student)),
        "",
        "## What they can do",
        "",
        "Top-1 accuracy (%) on test images of icon sets that pre-training never saw; linear probe",
        f"on 16 clean shots, c = {c:g}, mean and sd, seeds {SEEDS[0]} to {SEEDS[-1]}.",
        "",
        "| data set | classes | test images | backbone | zero-shot | linear probe |",
        "|---|---:|---:|---|---:|---:|",
    ]
    for dataset in config["datasets"]:
        for name, backbone in backbones.items():
            found = measure(backbone, dataset, c)
            lines.append(
                f"| {dataset} | {found['classes']} | {found['test']} | {name} "
                f"| {found['zero_shot']:.1f} | {found['probe']:.1f} ± {found['probe_sd']:.1f} |"
            )
    for name in config["image_encoders"]:
        lines += image_encoder_lines(name, config, pairs)
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="config.yaml of the build")
    parser.add_argument("--study", type=Path, required=True, help="config.yaml of the study")
    parser.add_argument("--pairs", type=Path, required=True, help="what pre-training saw")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    pairs = pd.read_parquet(args.pairs, columns=["name", "icon_set"])
    config, study = (yaml.safe_load(path.read_text()) for path in (args.config, args.study))
    write_text(card(config, study["methods"]["linear_probe"]["c"], pairs), args.out)


if __name__ == "__main__":
    main()
