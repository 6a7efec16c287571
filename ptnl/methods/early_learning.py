"""Early-learning regularisation (ELR, Liu et al., NeurIPS 2020) of class embeddings.

Its loss (shengliu66/ELR at 934af53) is the cross-entropy plus lambda log(1 - <p, t>), where t is a
moving average of the image's earlier predictions, so labels that contradict these lose influence.
The classifier starts at the text embeddings, like Classifier-C.
"""

import torch
from torch import Tensor

from ptnl.methods.classifier import initial_classifier, train_embeddings
from ptnl.training.epochs import Epoch, Plan, Score, Step, shared_batches
from ptnl.training.losses import cross_entropy
from ptnl.training.tuning import SweepData, TunedRun

CLIP = 1e-4  # probabilities are kept this far from 0 and 1


def tune(sweep: SweepData) -> list[TunedRun]:
    """Train one classifier (C, D) per run."""
    return train_embeddings(sweep, initial_classifier(sweep), lambda score: plan_of(sweep, score))


def plan_of(sweep: SweepData, score: Score) -> Plan:
    """The batches of prompt tuning, with a loss that remembers each image's predictions."""
    settings, labels = sweep.settings, sweep.labels
    runs, samples = labels.shape
    momentum, strength = settings["target_momentum"], settings["regularisation"]
    rows = torch.arange(runs, device=labels.device)[:, None]
    targets = torch.zeros(runs, samples, len(sweep.class_names), device=labels.device)
    together = shared_batches(sweep.seeds, labels, settings)

    def step(images: Tensor) -> Step:
        def evaluate(features: Tensor) -> tuple[Tensor, Tensor]:
            logits = score(features)
            p = logits.softmax(dim=-1).clamp(CLIP, 1 - CLIP)
            now = p.detach() / p.detach().sum(dim=-1, keepdim=True)
            target = momentum * targets[rows, images] + (1 - momentum) * now
            targets[rows, images] = target
            agreement = (1 - (target * p).sum(dim=-1)).log()
            losses = cross_entropy(logits, labels[rows, images]) + strength * agreement
            return losses.mean(dim=1), logits

        return Step(images, evaluate)

    return lambda epoch: Epoch([step(images) for images in together[epoch]])
