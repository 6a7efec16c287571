"""Train an image tower for the text tower of a trained CLIP, which also teaches it.

The student takes over its teacher's text tower and logit scale as they are. Its image tower learns
the contrastive task against the names' text embeddings, and to agree with the teacher's image
features: a small transformer learns far too slowly from names alone. The last steps see whole
images (FLIP, Li et al. 2023), the others leave patches out. The state is saved every few minutes
and a restart goes on from there with the same numbers: every step draws from a random stream of
its own.
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
from muon import Muon
from open_clip import CLIP
from pretrain_clip import (
    EVALUATE_STEPS,
    Vocabulary,
    contrastive_loss,
    encode_text,
    name_weights,
    save_trained,
    zero_shot_accuracy,
)
from torch import Tensor, nn
from tqdm import tqdm


def load_teacher(spec: dict, path: Path, vocabulary: Vocabulary) -> CLIP:
    """The trained teacher, frozen."""
    state = torch.load(path, weights_only=True)
    if not np.array_equal(state["token_ids"].numpy(), vocabulary.ids):
        raise SystemExit(f"{path} was trained on other names: its vocabulary differs")
    teacher = CLIP(**spec).to(memory_format=torch.channels_last)
    teacher.load_state_dict(state["model"])
    return teacher.eval().requires_grad_(False)


def take_text_tower(student: CLIP, teacher: CLIP) -> None:
    """Copy all but the image tower, and freeze it."""
    taken = {n: v for n, v in teacher.state_dict().items() if not n.startswith("visual.")}
    student.load_state_dict({**student.state_dict(), **taken})
    for name, parameter in student.named_parameters():
        if not name.startswith("visual."):
            parameter.requires_grad_(False)


def optimisers(student: CLIP, hp: dict) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the blocks, Adam for everything else that is trained."""
    trained = {n: p for n, p in student.named_parameters() if p.requires_grad}
    matrices = {n: p for n, p in trained.items() if p.ndim == 2 and "resblocks" in n}
    others = [p for n, p in trained.items() if n not in matrices]
    return [
        Muon(matrices.values(), lr=hp["learning_rate"], weight_decay=hp["weight_decay"]),
        torch.optim.AdamW(others, lr=hp["adam_learning_rate"], betas=(0.9, 0.98), weight_decay=0),
    ]


@torch.no_grad()
def name_embeddings(teacher: CLIP, vocabulary: Vocabulary, names: list[str]) -> Tensor:
    """Unit text embeddings (names, D) of "an icon of a NAME."."""
    parts = []
    for start in tqdm(range(0, len(names), 512), desc="names", disable=None):
        texts = [f"an icon of a {name}." for name in names[start : start + 512]]
        parts.append(encode_text(teacher, vocabulary.encode(texts, teacher.context_length)))
    return torch.cat(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, required=True, help="pairs.parquet")
    parser.add_argument("--datasets", type=Path, nargs="+", required=True)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--teacher", type=Path, required=True, help="the teacher's trained model")
    parser.add_argument("--checkpoint", type=Path, required=True, help="state to resume from")
    parser.add_argument("--out", type=Path, required=True, help="the trained model")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    config = yaml.safe_load(args.config.read_text())
    hp = config["distillation"][args.backbone]

    datasets = {path.stem: pd.read_parquet(path) for path in args.datasets}
    rows = pd.read_parquet(args.pairs)
    shown = {name for table in datasets.values() for name in table.class_name}
    vocabulary = Vocabulary(sorted(shown.union(rows.name)))
    drawings = Drawings(rows)
    weight = name_weights(rows, config["pretraining"]["shared_name_weight"])

    def spec(backbone: str) -> dict:
        stated = config["backbones"][backbone]
        text = {**stated["text_cfg"], "vocab_size": len(vocabulary.ids)}
        return {**stated, "text_cfg": text}

    teacher = load_teacher(spec(hp["teacher"]), args.teacher, vocabulary)
    torch.manual_seed(hp["seed"])
    student = CLIP(**spec(args.backbone)).train()
    take_text_tower(student, teacher)
    scale = student.logit_scale.exp()
    names, name_of_row = np.unique(drawings.name, return_inverse=True)
    text_of_name = name_embeddings(teacher, vocabulary, names.tolist())

    steps, warmup = hp["steps"], hp["warmup"]
    optims = optimisers(student, hp)
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(
            optim, lambda s: min((s + 1) / (warmup * steps), (steps - s) / ((1 - warmup) * steps))
        )
        for optim in optims
    ]
    training = {f"training_{number}": part for number, part in enumerate([*optims, *schedules])}
    checkpoint = Checkpoint(args.checkpoint, model=student, **training)
    first = checkpoint.resume()

    trained = [p for p in student.parameters() if p.requires_grad]
    started, running = time.monotonic(), []
    for step in tqdm(range(first, steps), initial=first, total=steps, disable=None):
        whole = step >= (1 - hp["whole_images"]) * steps
        student.visual.patch_dropout.prob = 0.0 if whole else hp["patch_dropout"]
        rng = np.random.default_rng([hp["seed"], step])
        torch.manual_seed(int(rng.integers(2**31)))  # patch dropout
        index = rng.choice(len(rows), size=hp["batch_size"], p=weight)
        images, _ = painted_batch(drawings, index, rng)
        with torch.no_grad():
            target = F.normalize(teacher.encode_image(images), dim=-1)
        image = F.normalize(student.encode_image(images), dim=-1)
        text = text_of_name[torch.from_numpy(name_of_row[index])]
        agreement = (image * target).sum(dim=-1).mean()
        contrastive = contrastive_loss(image, text, scale, drawings.name[index])
        loss = contrastive + hp["agreement"] * (1 - agreement)
        if not torch.isfinite(loss):
            raise SystemExit(f"step {step}: the loss is {loss.item()}")
        student.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        for part in training.values():
            part.step()
        running.append((contrastive.item(), agreement.item()))
        if (step + 1) % EVALUATE_STEPS == 0:
            accuracy = {k: zero_shot_accuracy(student, vocabulary, t) for k, t in datasets.items()}
            rate = (step + 1 - first) * hp["batch_size"] / (time.monotonic() - started)
            mean_contrastive, mean_agreement = np.mean(running, axis=0)
            print(
                f"step {step + 1}/{steps} contrastive loss {mean_contrastive:.3f} "
                f"agreement {mean_agreement:.3f} zero-shot on val "
                + " ".join(f"{k} {v:.1f} %" for k, v in accuracy.items())
                + f", {rate:.0f} drawings/s",
                flush=True,
            )
            running = []
        checkpoint.save_if_due(step + 1)

    save_trained(student, vocabulary, list(datasets.values()), args.out)


if __name__ == "__main__":
    main()
