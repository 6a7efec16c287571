"""Export a CLIP as it ships: weights in float16, without embeddings of untrained tokens.

The image tower and the text tower were trained one after the other in one embedding space. The
image projection is scaled so that image features have a mean norm of 1 on validation images. CLIP's
similarities are cosines and do not change by this; a linear probe uses features unnormalised.
"""

import argparse
from pathlib import Path

import torch
import yaml
from safetensors.torch import save_file

from ptnl.backbones.text import TOKEN_IDS, TOKEN_ROWS
from ptnl.io import atomic_path, write_json

IMAGE_TOWER = "visual."
# The last linear map of the image tower, in a ModifiedResNet and in a ViT.
PROJECTIONS = ("visual.attnpool.c_proj.weight", "visual.attnpool.c_proj.bias", "visual.proj")


def export(
    images: dict[str, torch.Tensor],
    text: dict[str, torch.Tensor],
    token_ids: torch.Tensor,
    feature_norm: float,
) -> dict[str, torch.Tensor]:
    """The towers of two trained models as they are stored: token embeddings with token ids."""
    model = {
        **{n: v for n, v in text.items() if not n.startswith(IMAGE_TOWER)},
        **{n: v for n, v in images.items() if n.startswith(IMAGE_TOWER)},
    }
    model = {n: v / feature_norm if n in PROJECTIONS else v for n, v in model.items()}
    stored = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in model.items()
        if name != "token_embedding.weight"
    }
    stored[TOKEN_ROWS] = model["token_embedding.weight"].half().contiguous()
    stored[TOKEN_IDS] = token_ids.to(torch.int32)
    return stored


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--images", type=Path, required=True, help="trained model with the image tower"
    )
    parser.add_argument(
        "--text", type=Path, required=True, help="trained model of pretrain_text.py"
    )
    parser.add_argument("--config", type=Path, required=True, help="config.yaml of the build")
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--weights", type=Path, required=True, help="safetensors to write")
    parser.add_argument("--model-config", type=Path, required=True, help="open_clip JSON to write")
    args = parser.parse_args()

    images, text = (torch.load(path, weights_only=True) for path in (args.images, args.text))
    if not torch.equal(images["token_ids"], text["token_ids"]):
        raise SystemExit(f"{args.images} and {args.text} have different vocabularies")
    with atomic_path(args.weights) as temporary:
        stored = export(images["model"], text["model"], text["token_ids"], images["feature_norm"])
        save_file(stored, temporary)
    write_json(
        yaml.safe_load(args.config.read_text())["backbones"][args.backbone], args.model_config
    )


if __name__ == "__main__":
    main()
