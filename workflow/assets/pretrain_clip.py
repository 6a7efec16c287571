"""Pre-train one small CLIP on drawings and captions of the icon sets that are not held out.

The loss is symmetric and contrastive, and pairs with the same name are positives of each other. No
caption is noisy. Only the image tower of this training ships; `pretrain_text.py` then trains the
text tower that ships.
"""

import math

import torch
from batches import Batch, Steps, load, name_weights, weighted
from clips import build_clip, contrastive_loss, encode_image, encode_text, one_cycle, save_clip
from drawings import Drawings
from inputs import arguments, read_inputs
from torch import Tensor
from training import Checkpoint, train


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--backbone", required=True)
    args = parser.parse_args()
    given = read_inputs(args)
    hp = given.config["pretraining"]

    drawings = Drawings(given.rows, given.device, given.threads)
    weight = name_weights(given.rows, given.config["shared_name_weight"])
    batches = Steps.of(
        given.rows,
        draw=weighted(weight, hp["batch_size"]),
        seed=hp["seed"],
        captioner=given.captioner(0.0),
        vocabulary=given.vocabulary,
    )
    torch.manual_seed(hp["seed"])
    model = build_clip(given.config["backbones"][args.backbone], given.vocabulary, given.device)
    model.train()
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
            model.logit_scale.clamp_(max=math.log(100))
        images = drawings.paint(*(batch[k] for k in ("index", "ink", "paper", "affine")))
        image, text = encode_image(model, images), encode_text(model, batch["tokens"])
        scale = model.logit_scale.exp()
        return {"loss": contrastive_loss(image, text, scale, batch["name"]), "scale": scale}

    train(
        load(batches, first, steps, given.device, given.threads),
        first,
        steps,
        update,
        [optimiser, schedule],
        list(model.parameters()),
        checkpoint,
        lambda: given.validation.describe(model),
    )
    save_clip(model, given.vocabulary, given.validation, given.out)


if __name__ == "__main__":
    main()
