"""Pre-train an image encoder with labels only, as the start of fine-tuning.

It classifies drawings of the icon sets that are not held out into their most common names. The
CLIPs learn from the same drawings, painted and moved in the same way; but here a name is only the
number of a class, not a word.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
import yaml
from batches import Batch, Steps, load
from clips import one_cycle
from drawings import Drawings
from safetensors.torch import save_file
from torch import Tensor, nn
from training import Checkpoint, train

from ptnl.backbones.image_encoders import build
from ptnl.io import atomic_path, write_json


def commonest_names(names: pd.Series, number: int) -> list[str]:
    """The names with the most drawings; equally common ones are in alphabetical order."""
    counts = names.value_counts().rename_axis("name").reset_index(name="drawings")
    return counts.sort_values(["drawings", "name"], ascending=[False, True]).name[:number].tolist()


def shipped(model: nn.Module) -> dict[str, Tensor]:
    """The weights of a trained model as they ship: float16, without the classifier of 1,000 names.

    The counters of batch norm stay integers.
    """
    head = {id(parameter) for parameter in model.get_classifier().parameters()}
    return {
        name: (value.detach().half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in model.state_dict(keep_vars=True).items()
        if id(value) not in head
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, required=True, help="pairs.parquet")
    parser.add_argument("--config", type=Path, required=True, help="config.yaml of the build")
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--checkpoint", type=Path, required=True, help="state to resume from")
    parser.add_argument("--weights", type=Path, required=True, help="safetensors to write")
    parser.add_argument("--model-config", type=Path, required=True, help="timm JSON to write")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        help="CPU threads; with a GPU also the processes that prepare batches",
    )
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    config = yaml.safe_load(args.config.read_text())
    spec, hp = config["image_encoders"][args.encoder], config["label_pretraining"][args.encoder]

    rows = pd.read_parquet(args.pairs)
    names = commonest_names(rows.name, hp["names"])
    rows = rows[rows.name.isin(names)].reset_index(drop=True)
    drawings = Drawings(rows, device, args.threads)
    labels = torch.from_numpy(pd.Categorical(rows.name, categories=names).codes.astype(np.int64))
    labels = labels.to(device)
    batches = Steps.of(
        rows,
        draw=lambda rng: rng.choice(len(rows), size=hp["batch_size"], replace=False),
        seed=hp["seed"],
    )

    torch.manual_seed(hp["seed"])
    model = build(spec, len(names)).to(device, memory_format=torch.channels_last).train()
    size = spec["pretrained_cfg"]["input_size"][1:]
    steps = hp["samples"] // hp["batch_size"]
    optimiser, schedule = one_cycle(model, hp, steps)
    checkpoint = Checkpoint(
        args.checkpoint,
        config["checkpoint_seconds"],
        model=model,
        optimiser=optimiser,
        schedule=schedule,
    )
    first = checkpoint.resume()

    def update(step: int, batch: Batch) -> dict[str, Tensor]:
        images = drawings.paint(*(batch[k] for k in ("index", "ink", "paper", "affine")))
        images = F.interpolate(images, size=size, mode="bicubic", antialias=True)
        logits, label = model(images), labels[batch["index"].to(device)]
        loss = F.cross_entropy(logits, label, label_smoothing=hp["label_smoothing"])
        right = (logits.detach().argmax(dim=1) == label).float().mean()
        return {"loss": loss, "named right": right}

    train(
        load(batches, first, steps, device, args.threads),
        first,
        steps,
        update,
        [optimiser, schedule],
        list(model.parameters()),
        checkpoint,
    )
    with atomic_path(args.weights) as temporary:
        save_file(shipped(model), temporary)
    write_json(spec, args.model_config)


if __name__ == "__main__":
    main()
