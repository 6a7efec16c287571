"""Train an image tower for the embedding space of a trained CLIP, its teacher.

The image tower learns two things: the contrastive task with the text embeddings of names, and to
agree with the teacher's image features. From names alone a small transformer learns far too slowly.
The last steps see whole images (FLIP, Li et al. 2023); in the others some patches are left out.
"""

from pathlib import Path

import numpy as np
import torch
from batches import Batch, Steps, load, name_weights, weighted
from clips import build_clip, contrastive_loss, encode_image, encode_text, load_clip, save_clip
from drawings import Drawings
from inputs import arguments, read_inputs
from muon import Muon
from open_clip import CLIP
from torch import Tensor
from training import Checkpoint, train
from vocabulary import Vocabulary


def take_text_tower(student: CLIP, teacher: CLIP) -> None:
    """Copy everything but the image tower from the teacher, and freeze it."""
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
def name_embeddings(
    teacher: CLIP, vocabulary: Vocabulary, names: list[str], device: torch.device
) -> Tensor:
    """Unit text embeddings (names, D) of "an icon of a NAME."."""
    parts = []
    for start in range(0, len(names), 512):
        texts = [
            vocabulary.tokens_of(f"an icon of a {name}.") for name in names[start : start + 512]
        ]
        parts.append(encode_text(teacher, torch.from_numpy(vocabulary.pad(texts)).to(device)))
    return torch.cat(parts)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--teacher", type=Path, required=True, help="the teacher's trained model")
    args = parser.parse_args()
    given = read_inputs(args)
    config, hp = given.config, given.config["distillation"][args.backbone]

    drawings = Drawings(given.rows, given.device, given.threads)
    weight = name_weights(given.rows, config["shared_name_weight"])
    batches = Steps.of(given.rows, draw=weighted(weight, hp["batch_size"]), seed=hp["seed"])
    spec = config["backbones"][hp["teacher"]]
    teacher = load_clip(
        build_clip(spec, given.vocabulary, given.device), args.teacher, given.vocabulary
    )
    torch.manual_seed(hp["seed"])
    student = build_clip(config["backbones"][args.backbone], given.vocabulary, given.device).train()
    take_text_tower(student, teacher)
    scale = student.logit_scale.exp()
    text_of_name = name_embeddings(
        teacher, given.vocabulary, np.unique(given.rows.name).tolist(), given.device
    )

    steps, warmup = hp["samples"] // hp["batch_size"], hp["warmup"]
    optims = optimisers(student, hp)
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(
            optim, lambda s: min((s + 1) / (warmup * steps), (steps - s) / ((1 - warmup) * steps))
        )
        for optim in optims
    ]
    training = {f"training_{number}": part for number, part in enumerate([*optims, *schedules])}
    checkpoint = Checkpoint(
        given.checkpoint, config["checkpoint_seconds"], model=student, **training
    )
    first = checkpoint.resume()

    def update(step: int, batch: Batch) -> dict[str, Tensor]:
        whole = step >= (1 - hp["whole_images"]) * steps
        student.visual.patch_dropout.prob = 0.0 if whole else hp["patch_dropout"]
        images = drawings.paint(*(batch[k] for k in ("index", "ink", "paper", "affine")))
        with torch.no_grad():
            target = encode_image(teacher, images)
        image = encode_image(student, images)
        agreement = (image * target).sum(dim=-1).mean()
        contrastive = contrastive_loss(image, text_of_name[batch["name"]], scale, batch["name"])
        return {
            "loss": contrastive + hp["agreement"] * (1 - agreement),
            "contrastive": contrastive,
            "agreement": agreement,
        }

    train(
        load(batches, first, steps, given.device, given.threads),
        first,
        steps,
        update,
        list(training.values()),
        [p for p in student.parameters() if p.requires_grad],
        checkpoint,
        lambda: given.validation.describe(student),
    )
    save_clip(student, given.vocabulary, given.validation, given.out)


if __name__ == "__main__":
    main()
