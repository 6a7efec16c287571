"""Train a new text tower for the image tower of a trained CLIP, which is not changed.

The training is contrastive with a locked image tower (LiT, Zhai et al. 2022). The share of noisy
captions decides how much the meaning of a prompt depends on the class name alone. The logit scale
is 100, as in CLIP's released models.
"""

import math
from pathlib import Path

import torch
from batches import Batch, Steps, load, name_weights, weighted
from clips import (
    build_clip,
    contrastive_loss,
    encode_image,
    encode_text,
    load_clip,
    one_cycle,
    save_clip,
)
from drawings import Drawings
from inputs import arguments, read_inputs
from torch import Tensor
from training import Checkpoint, train

LOGIT_SCALE = 100


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--backbone", required=True)
    parser.add_argument(
        "--images", type=Path, required=True, help="trained model of pretrain_clip.py"
    )
    parser.add_argument("--noisy", type=int, required=True, help="percent of noisy captions")
    args = parser.parse_args()
    given = read_inputs(args)
    hp = given.config["text_pretraining"]

    drawings = Drawings(given.rows, given.device, given.threads)
    weight = name_weights(given.rows, given.config["shared_name_weight"])
    batches = Steps.of(
        given.rows,
        draw=weighted(weight, hp["batch_size"]),
        seed=hp["seed"],
        captioner=given.captioner(args.noisy / 100),
        vocabulary=given.vocabulary,
    )
    spec = given.config["backbones"][args.backbone]
    taught = load_clip(
        build_clip(spec, given.vocabulary, given.device),
        args.images,
        given.vocabulary,
        image_tower_alone=True,
    )
    torch.manual_seed(hp["seed"])
    model = build_clip(spec, given.vocabulary, given.device)
    model.visual = taught.visual
    with torch.no_grad():
        model.logit_scale.fill_(math.log(LOGIT_SCALE))
    model.logit_scale.requires_grad_(False)
    leaves = [p for p in model.parameters() if p.requires_grad]
    steps = hp["samples"] // hp["batch_size"]
    optimiser, schedule = one_cycle(model, hp, steps)
    checkpoint = Checkpoint(
        given.checkpoint,
        given.config["checkpoint_seconds"],
        model=model,
        optimiser=optimiser,
        schedule=schedule,
    )
    first = checkpoint.resume()

    def update(step: int, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            images = drawings.paint(*(batch[k] for k in ("index", "ink", "paper", "affine")))
            image = encode_image(model, images)
        text = encode_text(model, batch["tokens"])
        return {"loss": contrastive_loss(image, text, LOGIT_SCALE, batch["name"])}

    train(
        load(batches, first, steps, given.device, given.threads),
        first,
        steps,
        update,
        [optimiser, schedule],
        leaves,
        checkpoint,
        lambda: given.validation.describe(model),
    )
    save_clip(model, given.vocabulary, given.validation, given.out)


if __name__ == "__main__":
    main()
