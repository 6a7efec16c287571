"""Pre-train an image encoder with labels only: what fine-tuning starts from.

It classifies drawings of the icon sets that are not held out into their commonest names: the
drawings that the CLIPs learn from too, painted and moved in the same way, but a name is a number
here and no word. The state is saved every few minutes and a restart goes on from there with the
same numbers: every step draws from a random stream of its own.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
import yaml
from checkpoints import Checkpoint
from drawings import Drawings, painted_batch
from pretrain_clip import EVALUATE_STEPS, parameter_groups
from safetensors.torch import save_file
from torch import nn
from tqdm import tqdm

from ptnl.backbones.image_encoders import build
from ptnl.io import atomic_path, write_json


def commonest_names(names: pd.Series, number: int) -> list[str]:
    """The names that most drawings have, in alphabetical order among equals."""
    counts = names.value_counts().rename_axis("name").reset_index(name="drawings")
    return counts.sort_values(["drawings", "name"], ascending=[False, True]).name[:number].tolist()


def shipped(model: nn.Module) -> dict[str, torch.Tensor]:
    """A trained model's weights as they ship: float16, without the head, which names 1,000 things.

    Batch norm's counters stay whole numbers.
    """
    head = {id(parameter) for parameter in model.get_classifier().parameters()}
    return {
        name: (value.detach().half() if value.is_floating_point() else value).contiguous()
        for name, value in model.state_dict(keep_vars=True).items()
        if id(value) not in head
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, required=True, help="pairs.parquet")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--encoder", required=True)
    parser.add_argument("--checkpoint", type=Path, required=True, help="state to resume from")
    parser.add_argument("--weights", type=Path, required=True, help="safetensors to write")
    parser.add_argument("--model-config", type=Path, required=True, help="timm JSON to write")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    config = yaml.safe_load(args.config.read_text())
    spec, hp = config["image_encoders"][args.encoder], config["label_pretraining"][args.encoder]

    rows = pd.read_parquet(args.pairs)
    names = commonest_names(rows.name, hp["names"])
    rows = rows[rows.name.isin(names)].reset_index(drop=True)
    drawings = Drawings(rows)
    labels = torch.from_numpy(pd.Categorical(rows.name, categories=names).codes.astype(np.int64))

    torch.manual_seed(hp["seed"])
    model = build(spec, len(names)).to(memory_format=torch.channels_last).train()
    size = spec["pretrained_cfg"]["input_size"][1:]
    steps = hp["samples"] // hp["batch_size"]
    optimiser = torch.optim.AdamW(
        parameter_groups(model, hp["weight_decay"]), lr=hp["learning_rate"]
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, hp["learning_rate"], total_steps=steps, pct_start=hp["warmup"]
    )
    checkpoint = Checkpoint(args.checkpoint, model=model, optimiser=optimiser, schedule=schedule)
    first = checkpoint.resume()

    started, sums = time.monotonic(), np.zeros(2)
    for step in tqdm(range(first, steps), initial=first, total=steps, disable=None):
        rng = np.random.default_rng([hp["seed"], step])
        index = rng.choice(len(rows), size=hp["batch_size"], replace=False)
        images, _ = painted_batch(drawings, index, rng)
        images = F.interpolate(images, size=size, mode="bicubic", antialias=True)
        logits, label = model(images), labels[index]
        loss = F.cross_entropy(logits, label, label_smoothing=hp["label_smoothing"])
        if not torch.isfinite(loss):
            raise SystemExit(f"step {step}: the loss is {loss.item()}")
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        right = 100 * (logits.detach().argmax(dim=1) == label).double().mean()
        sums += loss.item(), right.item()
        if (step + 1) % EVALUATE_STEPS == 0:
            mean, sums = sums / EVALUATE_STEPS, np.zeros(2)
            rate = (step + 1 - first) * hp["batch_size"] / (time.monotonic() - started)
            print(
                f"step {step + 1}/{steps} loss {mean[0]:.3f}, {mean[1]:.1f} % of the drawings "
                f"named, {rate:.0f} drawings/s",
                flush=True,
            )
        checkpoint.save_if_due(step + 1)

    with atomic_path(args.weights) as temporary:
        save_file(shipped(model), temporary)
    write_json(spec, args.model_config)


if __name__ == "__main__":
    main()
