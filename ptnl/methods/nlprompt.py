"""NLPrompt (Pan et al., CVPR 2025): optimal transport splits the images in every epoch.

The code (qunovo/NLPrompt at b36bc8e) is followed: first come steps with the cross-entropy on the
images whose label the transport between images and classes confirms, then steps with the mean
absolute error on the others. Labels are never rewritten. Two things follow the intention of the
code and not its effect. The transport sees all images, whereas the code's loader drops up to a
batch of them. And it is solved on logarithms, because the code's exp(-cost / 0.001) is zero
everywhere.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ptnl.methods.prompt import train_context
from ptnl.training.epochs import (
    Epoch,
    Plan,
    Score,
    Step,
    permutations,
    side_by_side,
    whole_batches,
)
from ptnl.training.losses import cross_entropy, mean_absolute_error
from ptnl.training.transport import sinkhorn
from ptnl.training.tuning import SweepData, TunedRun


def tune(sweep: SweepData) -> list[TunedRun]:
    """Train one context (M, W) per run."""
    return train_context(sweep, lambda score: plan_of(sweep, score))


def plan_of(sweep: SweepData, score: Score) -> Plan:
    """Split the images in every epoch; train with CE on clean ones, then with MAE on the others."""
    steps_of = PartSteps(sweep, score)

    def plan(epoch: int) -> Epoch:
        coupling = transport(sweep, score, epoch)
        clean = coupling.argmax(dim=-1) == sweep.labels
        return Epoch(steps_of(epoch, [clean], sweep.labels), clean)

    return plan


def transport(sweep: SweepData, score: Score, epoch: int) -> Tensor:
    """The coupling (R, N, C) of the images with the classes under the present prompts.

    As in the code, the images are seen in other views than those trained on, which are those of
    the next epoch. A cost that all classes of an image share does not change the coupling, so the
    code's cost log_softmax(p) amounts to one that is linear in p ("linear"); the paper has -log p
    ("log").
    """
    p = score(sweep.features_at(epoch + 1)).double().log_softmax(dim=-1)
    cost = -p if sweep.settings["ot_cost"] == "log" else -p.exp()
    return sinkhorn(cost, sweep.settings["ot_regularisation"])


class PartSteps:
    """Steps with CE on batches of the given parts of the images, then with MAE on all others."""

    def __init__(self, sweep: SweepData, score: Score):
        samples, epochs = sweep.labels.shape[1], sweep.settings["epochs"]
        self._order = [permutations(seed, samples, epochs) for seed in sweep.seeds]
        self._size = min(sweep.settings["batch_size"], samples)
        self._score = score

    def __call__(self, epoch: int, parts: Sequence[Tensor], labels: Tensor) -> list[Step]:
        """The steps of an epoch.

        As in the code, images of a part that do not fill a batch are dropped. Each part is in the
        order of the epoch's permutation, so if a part holds all images, its batches are those of
        prompt tuning.

        Parameters
        ----------
        parts : (R, N) each, disjoint; the batches of one part follow those of another
        labels : (R, N), what training sees
        """
        rest = ~torch.stack(list(parts)).any(dim=0)
        members = torch.stack([*parts, rest]).cpu().numpy()  # (P, R, N)
        batches, robust = [], []
        for run, order in enumerate(self._order):
            shuffled = order[epoch]
            of_parts = [
                whole_batches(shuffled[member[run][shuffled]], self._size) for member in members
            ]
            batches.append(np.concatenate(of_parts))
            before = sum(map(len, of_parts[:-1]))
            robust.append(before)
        images, moves = (
            torch.from_numpy(array).to(labels.device) for array in side_by_side(batches, self._size)
        )
        first_robust = torch.tensor(robust, device=labels.device)
        every = moves.all(dim=1).tolist()
        return [
            self._step(images[at], None if every[at] else moves[at], first_robust <= at, labels)
            for at in range(len(images))
        ]

    def _step(self, images: Tensor, moves: Tensor | None, robust: Tensor, labels: Tensor) -> Step:
        seen = labels.gather(1, images)

        def evaluate(features: Tensor) -> tuple[Tensor, Tensor]:
            logits = self._score(features)
            losses = torch.where(
                robust[:, None], mean_absolute_error(logits, seen), cross_entropy(logits, seen)
            )
            return losses.mean(dim=1), logits

        return Step(images, evaluate, moves)
