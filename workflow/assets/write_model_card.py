"""Write the model card: what the backbones learnt from, how, and what they were measured to do."""

import argparse
from pathlib import Path

import pandas as pd
import torch
import yaml
from aims import measure
from model_card import aim_table, markdown_table, recipe_table, test_table
from pretrain_labels import commonest_names

from ptnl.analysis.published import published
from ptnl.backbones.image_encoders import read_image_encoder
from ptnl.backbones.loading import load_files
from ptnl.backbones.text import TOKEN_ROWS
from ptnl.backbones.weights import read_weights
from ptnl.data.embedded import IMAGES
from ptnl.io import read_parquet, write_text
from ptnl.study.config import Rules
from ptnl.study.protocols import protocol_values
from ptnl.training.run_files import class_names_of

CPU = torch.device("cpu")
PROTOCOL = "paper"


def backbone_lines(name: str, spec: dict, assets: Path) -> tuple[list[str], list[str]]:
    """A row of the table of sizes; logit scale, and spread of the token embeddings."""
    weights = assets / f"{name}.safetensors"
    backbone = load_files(name, assets / f"{name}.json", weights, CPU)
    sizes = {n: p.numel() for n, p in backbone.model.named_parameters()}
    image = sum(size for n, size in sizes.items() if n.startswith("visual."))
    text = sum(sizes.values()) - image - sizes["token_embedding.weight"]
    vision, words = spec["vision_cfg"], spec["text_cfg"]
    kind = "ViT" if "patch_size" in vision else "ModifiedResNet"
    size = [
        name,
        f"{kind}, layers {vision['layers']}, width {vision['width']}, {vision['image_size']} px",
        f"{image:,}",
        f"layers {words['layers']}, width {words['width']}, {words['context_length']} tokens",
        f"{text:,}",
        f"{backbone.dimensions}",
        f"{weights.stat().st_size / 1e6:.1f} MB",
    ]
    rows = read_weights(weights)[TOKEN_ROWS].float()
    return size, [f"{backbone.logit_scale:.0f}", f"{rows.std():.3f}"]


def image_encoder_lines(
    name: str, config: dict, pairs: pd.DataFrame, classes: dict[str, list[str]], assets: Path
) -> list[str]:
    """The section on an image encoder for fine-tuning, and on its labels that are our classes."""
    spec, hp = config["image_encoders"][name], config["label_pretraining"][name]
    weights = assets / f"{name}.safetensors"
    model = read_image_encoder(assets / f"{name}.json", weights, hp["names"], CPU).model
    head = sum(parameter.numel() for parameter in model.get_classifier().parameters())
    size = sum(parameter.numel() for parameter in model.parameters()) - head
    names = commonest_names(pairs.name, hp["names"])
    return [
        "",
        f"## {name}",
        "",
        "Fine-tuning (method `finetune`) starts from this image encoder, in place of one that was",
        "pre-trained on ImageNet. It was pre-trained with labels only, on drawings that mini-rn",
        "saw too. Names are only class numbers to it, and it has no text encoder.",
        "",
        f"timm's `{spec['architecture']}` with channels {spec['model_args']['channels']}, "
        f"{spec['pretrained_cfg']['input_size'][-1]} px, {size:,} parameters without its head, "
        f"{weights.stat().st_size / 1e6:.1f} MB. It learnt to",
        f"tell the {hp['names']:,} most common names apart, on the "
        f"{pairs.name.isin(names).sum():,} "
        f"drawings that have them: cross-entropy with label smoothing {hp['label_smoothing']:g},",
        f"AdamW, one cycle, batch {hp['batch_size']}, {hp['samples']:,} drawings seen. Among these "
        "names are most classes of the data sets,",
        "unlike ImageNet's and those of the paper's data sets, so it starts with an advantage:",
        "",
        *markdown_table(
            ["data set", "classes", "of them among the names"],
            [
                [dataset, f"{len(known)}", f"{len(set(known) & set(names))}"]
                for dataset, known in classes.items()
            ],
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="config.yaml of the build")
    parser.add_argument(
        "--preamble", type=Path, required=True, help="text of the card that is not measured"
    )
    parser.add_argument(
        "--pairs", type=Path, required=True, help="pairs.parquet, the drawings of pre-training"
    )
    parser.add_argument("--trained", type=Path, nargs="+", required=True, help="trained models")
    parser.add_argument("--assets", type=Path, required=True, help="folder of the shipped files")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    config = yaml.safe_load(args.config.read_text())
    pairs = pd.read_parquet(args.pairs, columns=["name", "icon_set"])
    protocol = protocol_values(PROTOCOL, Rules.shipped().protocols)
    tables = {
        name: read_parquet(args.assets / f"{name}.parquet", IMAGES) for name in config["datasets"]
    }
    trained = {path.stem: torch.load(path, weights_only=True, mmap=True) for path in args.trained}

    validation, test = {}, {}
    for dataset, table in tables.items():
        for name in config["backbones"]:
            files = (args.assets / f"{name}.json", args.assets / f"{name}.safetensors")
            measured = measure(*files, dataset, table, protocol, ["val", "test"])
            validation[dataset, name], test[dataset, name] = measured
    described = {
        name: backbone_lines(name, spec, args.assets) for name, spec in config["backbones"].items()
    }
    scales, spreads = zip(*(constants for _, constants in described.values()), strict=True)
    said = args.preamble.read_text().format(
        pairs=f"{len(pairs):,}",
        names=f"{pairs.name.nunique():,}",
        sets=pairs.icon_set.nunique(),
        package=config["packages"]["icons"],
        similarity=config["duplicate_similarity"],
        share=config["noisy_captions"],
        sizes="\n".join(
            markdown_table(
                [
                    "backbone",
                    "image encoder",
                    "parameters",
                    "text encoder",
                    "parameters, without tokens",
                    "embedding",
                    "file",
                ],
                [size for size, _ in described.values()],
            )
        ),
        recipes="\n".join(recipe_table(config, trained)),
        aims="\n".join(
            aim_table(
                validation,
                list(config["backbones"]),
                config["before"],
                published(),
                [
                    ("logit scale", "100", "100", list(scales)),
                    ("standard deviation of token embeddings", "0.02", "0.02", list(spreads)),
                ],
            )
        ),
        test="\n".join(test_table(test)),
    )
    classes = {dataset: class_names_of(table) for dataset, table in tables.items()}
    lines = said.splitlines()
    for name in config["image_encoders"]:
        lines += image_encoder_lines(name, config, pairs, classes, args.assets)
    write_text("\n".join(lines) + "\n", args.out)


if __name__ == "__main__":
    main()
