"""Co-teaching (Han et al., NeurIPS 2018): two classifiers choose each other's images.

Of every batch, each classifier learns only from the images on which the other's loss is smallest.
The share that is dropped grows to `forget_rate` over `gradual_epochs`. Its code (bhanML/Co-teaching
at 7c7fbe2) sets that rate to the true noise rate; here it is a setting, the same at all noise
rates, because no method is told how many labels are wrong. Both classifiers consist of class
embeddings, each with its own random start; the first is the one that is tested.
"""

import torch
from torch import Tensor

from ptnl.training.epochs import Epoch, Plan, Score, Step, shared_batches
from ptnl.training.losses import cross_entropy
from ptnl.training.optim import train_sgd
from ptnl.training.tuning import SweepData, TunedRun, cosine_logits, initial_normal

STARTS = ("classifier", "second classifier")  # purposes of their random streams


def tune(sweep: SweepData) -> list[TunedRun]:
    """Train two classifiers (C, D) per run, side by side as 2 R runs."""
    runs, scale = len(sweep.seeds), sweep.backbone.logit_scale
    shape = (len(sweep.class_names), sweep.features.shape[-1])
    normal = torch.stack(
        [initial_normal(purpose, shape, 1.0, seed) for purpose in STARTS for seed in sweep.seeds]
    )
    weights = torch.nn.functional.normalize(normal.to(sweep.backbone.device), dim=-1)
    weights.requires_grad_()

    def class_logits(weights: Tensor, features: Tensor) -> Tensor:
        return cosine_logits(features, weights, scale)

    histories = train_sgd(
        weights,
        class_logits,
        lambda epoch: sweep.features_at(epoch).repeat(2, 1, 1),
        sweep.labels.repeat(2, 1),
        sweep.labels_clean.repeat(2, 1),
        sweep.seeds * 2,
        cross_entropy,
        sweep.settings,
        plan_of=lambda score: plan_of(sweep, score),
    )
    with torch.inference_mode():
        logits = class_logits(weights[:runs], sweep.test_features)
    first, second = weights.detach().split(runs)
    return [
        TunedRun(
            {"class_embeddings": first[run], "class_embeddings_second": second[run]},
            histories[run],
            logits[run],
        )
        for run in range(runs)
    ]


def remembered(epoch: int, batch_size: int, forget_rate: float, gradual_epochs: int) -> int:
    """How many images of a batch a classifier learns from in an epoch (the first is 0)."""
    grown = min(epoch / (gradual_epochs - 1), 1.0) if gradual_epochs > 1 else 1.0
    return int((1 - forget_rate * grown) * batch_size)


def plan_of(sweep: SweepData, score: Score) -> Plan:
    """The batches of prompt tuning, for both classifiers of a run; each chooses for the other."""
    settings = sweep.settings
    labels = sweep.labels.repeat(2, 1)
    together = shared_batches(sweep.seeds * 2, labels, settings)

    def step(images: Tensor, count: int) -> Step:
        seen = labels.gather(1, images)

        def evaluate(features: Tensor) -> tuple[Tensor, Tensor]:
            logits = score(features)
            losses = cross_entropy(logits, seen)  # (2 R, B)
            of_other = losses.detach().roll(len(losses) // 2, dims=0)
            chosen = of_other.argsort(dim=1, stable=True)[:, :count]
            return losses.gather(1, chosen).mean(dim=1), logits

        return Step(images, evaluate)

    def plan(epoch: int) -> Epoch:
        size = together.shape[-1]
        count = remembered(epoch, size, settings["forget_rate"], settings["gradual_epochs"])
        return Epoch([step(images, count) for images in together[epoch]])

    return plan
