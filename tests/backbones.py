"""Writes CLIP models with random weights, which tests and rehearsals use in place of CLIP's.

python -m tests.backbones --model RN50 --small --config small.json --weights small.safetensors
"""

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip import CLIP
from safetensors.torch import save_file

from ptnl.io import atomic_path, write_json

SMALL_TEXT = {"width": 64, "heads": 2, "layers": 2}
SMALL_VIT = {"width": 64, "head_width": 32, "layers": 2, "patch_size": 32, "image_size": 64}
SMALL_RESNET = {"width": 8, "head_width": 32, "layers": [1, 1, 1, 1], "image_size": 64}


def configuration(model: str, small: bool) -> dict[str, Any]:
    """open_clip's configuration of a model, or a small one of the same kind."""
    config = copy.deepcopy(open_clip.get_model_config(model))
    if small:
        is_resnet = isinstance(config["vision_cfg"]["layers"], list)
        config["embed_dim"] = 32
        config["vision_cfg"] |= SMALL_RESNET if is_resnet else SMALL_VIT
        config["text_cfg"] |= SMALL_TEXT
    return config


def random_model(config: dict[str, Any], seed: int = 0) -> CLIP:
    """The model of a configuration with random weights, the same for the same seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return CLIP(**config).eval().requires_grad_(False)


def write_weights(model: CLIP, path: Path) -> None:
    """Write a model's weights as safetensors, in float16 like CLIP's."""
    halves = {
        name: w.half() if w.is_floating_point() else w for name, w in model.state_dict().items()
    }
    with atomic_path(path) as temporary:
        save_file(halves, temporary)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="RN50", help="open_clip's name of the architecture")
    parser.add_argument("--small", action="store_true", help="few and narrow layers, 64 pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--config", type=Path, required=True, help="configuration (JSON)")
    parser.add_argument("--weights", type=Path, required=True, help="weights (safetensors)")
    args = parser.parse_args(argv)
    config = configuration(args.model, args.small)
    write_weights(random_model(config, args.seed), args.weights)
    write_json(config, args.config)


if __name__ == "__main__":
    main()
