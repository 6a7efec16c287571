"""The interface between the study and its methods: what a method receives, and what it returns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from ptnl.backbones.text import TextBackbone
from ptnl.machine.random_streams import random_stream
from ptnl.training.epochs import PlanOf
from ptnl.training.gradients import Parameters
from ptnl.training.losses import LOSSES
from ptnl.training.method import Method
from ptnl.training.optim import train_sgd


@dataclass(frozen=True)
class SweepData:
    """The runs of one (data set, backbone, method, noise), trained side by side.

    There are R runs with N training images each, C classes and D feature dimensions. Features are
    not normalised.
    """

    method: Method
    settings: dict[str, Any]
    backbone: TextBackbone
    class_names: list[str]
    template: str  # hand-crafted prompt of the data set
    seeds: list[int]  # (R)
    features: Tensor  # (R, N, D), under the test transform
    labels: Tensor  # (R, N), what training sees
    labels_clean: Tensor  # (R, N)
    test_features: Tensor  # (T, D)
    views: Callable[[int], Tensor] | None = None  # epoch (first: 0) -> augmented views (R, N, D)
    gradients_of: Sequence[int] = ()  # positions of the runs whose gradients are measured

    def features_at(self, epoch: int) -> Tensor:
        """The training features of an epoch, counted from 0: augmented views, if there are any."""
        return self.features if self.views is None else self.views(epoch)


@dataclass(frozen=True)
class TunedRun:
    """What one run learnt."""

    weights: dict[str, Tensor]  # the trained tensors
    history: pd.DataFrame  # see `ptnl.schemas.HISTORY`
    test_logits: Tensor  # (T, C)
    # What a model also keeps, and what gets no gradient: the statistics of batch norm.
    buffers: dict[str, Tensor] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """How many numbers were trained."""
        return sum(weight.numel() for weight in self.weights.values())


def train_sweep(
    sweep: SweepData,
    parameters: Parameters,
    class_logits: Callable[[Parameters, Tensor], Tensor],
    settings: Mapping[str, Any] | None = None,
    plan_of: PlanOf | None = None,
) -> list[pd.DataFrame]:
    """Train the parameters of a sweep's R runs by SGD, in place; returns R histories.

    See `ptnl.training.optim.train_sgd` for the parameters, the logits and the plan of the epochs.
    `settings` are by default those of the sweep.
    """
    settings = sweep.settings if settings is None else settings
    return train_sgd(
        parameters,
        class_logits,
        sweep.features_at,
        sweep.labels,
        sweep.labels_clean,
        sweep.seeds,
        LOSSES[sweep.method.loss](settings),
        settings,
        sweep.gradients_of,
        plan_of,
    )


def cosine_logits(features: Tensor, class_embeddings: Tensor, logit_scale: float) -> Tensor:
    """Logits of Eq. 1, scaled cosine similarities. (..., B, D) and (..., C, D) -> (..., B, C)."""
    images = F.normalize(features, dim=-1)
    classes = F.normalize(class_embeddings, dim=-1)
    return logit_scale * images @ classes.transpose(-1, -2)


def top1_accuracy(logits: Tensor, labels: Tensor) -> float:
    """Top-1 accuracy in percent. logits (T, C), labels (T)."""
    return 100 * (logits.argmax(dim=-1) == labels).double().mean().item()


def initial_normal(purpose: str, shape: tuple[int, ...], std: float, seed: int) -> Tensor:
    """A normal draw that depends only on its purpose and seed, and is the same on all machines."""
    drawn = random_stream(purpose, seed).normal(0, std, shape)
    return torch.from_numpy(drawn).float()
