"""What the plain references of the later methods share.

A reference trains one run at a time, batch by batch, with torch's own optimiser.
"""

from collections.abc import Iterable
from dataclasses import replace
from importlib import import_module

import torch
from torch import Tensor

from ptnl.methods import METHODS
from ptnl.methods.prompt import initial_context, sweep_prompts
from ptnl.text import PromptEncoder, encode_texts
from ptnl.training.optim import learning_rates
from ptnl.training.tuning import SweepData, TunedRun, cosine_logits

CLASSES = ["cat", "dog", "tree", "house"]
SGD = {
    "epochs": 4,
    "batch_size": 4,
    "learning_rate": 0.05,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "warmup_epochs": 1,
    "warmup_learning_rate": 1e-3,
}
PROMPT = {**SGD, "context_length": 4}


def noisy_toy(name: str, backbone, **settings) -> SweepData:
    """Three runs of 24 images of four classes; none, a quarter and half of the labels are wrong.

    Features are noisy copies of the embedded class names, so that prompts can tell them apart.
    """
    stream = torch.Generator().manual_seed(0)
    texts = encode_texts(backbone.tower, CLASSES)
    centres = torch.nn.functional.normalize(texts - texts.mean(dim=0), dim=-1)
    clean = torch.arange(4).repeat_interleave(6).expand(3, -1)
    labels = clean.clone()
    for run, every in ((1, 4), (2, 2)):
        labels[run, ::every] = (labels[run, ::every] + 1) % 4
    noise = torch.randn(3, 24, texts.shape[1], generator=stream)
    return SweepData(
        method=METHODS[name],
        settings=settings,
        backbone=backbone,
        class_names=CLASSES,
        template="a photo of a {}.",
        seeds=[1, 2, 3],
        features=centres[clean] + 0.1 * noise,
        labels=labels,
        labels_clean=clean,
        test_features=centres + 0.05,
    )


def single(sweep: SweepData, run: int) -> SweepData:
    """A sweep with only one of the runs."""
    part = slice(run, run + 1)
    return replace(
        sweep,
        seeds=sweep.seeds[part],
        features=sweep.features[part],
        labels=sweep.labels[part],
        labels_clean=sweep.labels_clean[part],
    )


def tune(sweep: SweepData) -> list[TunedRun]:
    return import_module(f"ptnl.methods.{sweep.method.module}").tune(sweep)


def rates_of(settings: dict) -> list[float]:
    """The learning rate of every epoch."""
    return learning_rates(
        settings["epochs"],
        settings["learning_rate"],
        settings["warmup_epochs"],
        settings["warmup_learning_rate"],
    )


class PlainPrompt:
    """Prompt tuning of one run with torch's own optimiser."""

    def __init__(self, sweep: SweepData):
        self.settings = sweep.settings
        self.scale = sweep.backbone.logit_scale
        prompts = [prompt.tokens for prompt in sweep_prompts(sweep)]
        self.encoder = PromptEncoder(sweep.backbone.tower, prompts)
        self.context = initial_context(sweep)[0].requires_grad_()
        self.optimiser = torch.optim.SGD(
            [self.context],
            lr=1,
            momentum=self.settings["momentum"],
            weight_decay=self.settings["weight_decay"],
        )
        self.losses: list[list[float]] = []

    def logits(self, features: Tensor) -> Tensor:
        return cosine_logits(features, self.encoder(self.context[None])[0], self.scale)

    def epochs(self) -> Iterable[int]:
        """Yield every epoch, with the optimiser set to its learning rate."""
        for epoch, rate in enumerate(rates_of(self.settings)):
            self.optimiser.param_groups[0]["lr"] = rate
            self.losses.append([])
            yield epoch

    def step(self, loss: Tensor) -> None:
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.losses[-1].append(loss.item())
