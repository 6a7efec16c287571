"""CLAP (Silva-Rodríguez et al., CVPR 2024): a probe that starts at the text and stays near it.

Its code (jusiro/CLAP at dbdf409) is followed, with the constraint `l2`: the squared distance of a
class's weights to its text embedding is added to the loss, weighted by zero-shot CLIP's mean
probability of the class on its training images. There is no hyper-parameter to choose on
validation labels.
"""

import torch.nn.functional as F
from torch import Tensor

from ptnl.methods.classifier import train_embeddings
from ptnl.methods.zero_shot import class_embeddings
from ptnl.training.epochs import Epoch, Plan, Score, Step, shared_batches
from ptnl.training.losses import cross_entropy
from ptnl.training.tuning import SweepData, TunedRun, cosine_logits


def multipliers(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean probability (R, C) of a class on images of that label; 0 if there are none.

    logits : (R, N, C), of zero-shot CLIP
    labels : (R, N)
    """
    member = F.one_hot(labels, logits.shape[-1]).to(logits.dtype)
    of_class = (member * logits.softmax(dim=-1)).sum(dim=1)
    return of_class / member.sum(dim=1).clamp(min=1)


def tune(sweep: SweepData) -> list[TunedRun]:
    """Train one classifier (C, D) per run."""
    scale, runs = sweep.backbone.logit_scale, len(sweep.seeds)
    text = class_embeddings(sweep.backbone, sweep.class_names, sweep.template)  # (C, D)
    held = multipliers(cosine_logits(sweep.features, text, scale), sweep.labels)
    weights = text.repeat(runs, 1, 1).requires_grad_()
    batches = shared_batches(sweep.seeds, sweep.labels, sweep.settings)

    def plan_of(score: Score) -> Plan:
        def step(images: Tensor) -> Step:
            seen = sweep.labels.gather(1, images)

            def evaluate(features: Tensor) -> tuple[Tensor, Tensor]:
                logits = score(features)
                distance = (weights - text).square().sum(dim=-1)  # (R, C)
                loss = cross_entropy(logits, seen).mean(dim=1) + (held * distance).mean(dim=1)
                return loss, logits

            return Step(images, evaluate)

        return lambda epoch: Epoch([step(images) for images in batches[epoch]])

    return train_embeddings(sweep, weights, plan_of)
