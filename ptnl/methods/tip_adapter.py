"""Tip-Adapter and Tip-Adapter-F (Zhang et al., ECCV 2022): a cache of the training images.

Their code (gaopengcuhk/Tip-Adapter at d0e2d6f) is followed, except for what it selects by results:
alpha and beta on validation labels, and the epoch by test accuracy. Here alpha and beta are
settings, and the last epoch is reported. Zero-shot logits are those of the data set's own template,
and keys are features under the test transform, whereas theirs are means over ten augmented views.
"""

import math

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor

from ptnl.errors import InputError
from ptnl.machine.random_streams import random_stream
from ptnl.methods.zero_shot import class_embeddings
from ptnl.schemas import HISTORY
from ptnl.training.adamw import AdamW
from ptnl.training.fitted import fitted_histories
from ptnl.training.losses import cross_entropy
from ptnl.training.tuning import SweepData, TunedRun, cosine_logits

TOGETHER = 2**24  # similarities computed at once
EPSILON = 1e-4  # of AdamW


class Cache:
    """Zero-shot logits, and what the training images of R runs add to them."""

    def __init__(self, sweep: SweepData):
        self._scale = sweep.backbone.logit_scale
        self._text = class_embeddings(sweep.backbone, sweep.class_names, sweep.template)
        self._values = F.one_hot(sweep.labels, len(sweep.class_names)).to(sweep.features.dtype)
        self._alpha, self._beta = sweep.settings["alpha"], sweep.settings["beta"]

    def logits(self, keys: Tensor, features: Tensor) -> Tensor:
        """Logits (R, B, C) of features (R, B, D) or (B, D), by keys (R, N, D)."""
        images = F.normalize(features, dim=-1)
        affinity = images @ keys.mT  # (R, B, N)
        cached: Tensor = self._alpha * ((self._beta * (affinity - 1)).exp() @ self._values)
        return cosine_logits(features, self._text, self._scale) + cached

    @torch.no_grad()
    def test_logits(self, keys: Tensor, features: Tensor) -> list[Tensor]:
        """Logits (T, C) of each run."""
        together = max(1, TOGETHER // (keys.shape[0] * keys.shape[1]))
        parts = [self.logits(keys, part) for part in features.split(together)]
        return list(torch.cat(parts, dim=1))


def tune(sweep: SweepData) -> list[TunedRun]:
    """Store the images as keys (N, D) with their labels; train the keys if settings have epochs."""
    cache, keys = Cache(sweep), F.normalize(sweep.features, dim=-1)
    if "epochs" in sweep.settings:
        histories = _train(sweep, cache, keys)
    else:
        logits = cache.logits(keys, sweep.features)
        loss = cross_entropy(logits, sweep.labels).mean(dim=1)
        histories = fitted_histories(logits, sweep.labels, sweep.labels_clean, loss, iterations=1)
    test_logits = cache.test_logits(keys, sweep.test_features)
    return [
        TunedRun({"keys": keys[run]}, history, test_logits[run])
        for run, history in enumerate(histories)
    ]


def _train(sweep: SweepData, cache: Cache, keys: Tensor) -> list[pd.DataFrame]:
    """Train the keys in place (Tip-Adapter-F), by AdamW with a cosine schedule over steps."""
    settings, device = sweep.settings, keys.device
    runs, samples = sweep.labels.shape
    rows = torch.arange(runs, device=device)[:, None]
    streams = [random_stream("batches", seed) for seed in sweep.seeds]
    keys.requires_grad_()
    optimiser = AdamW(keys, epsilon=EPSILON)
    steps = settings["epochs"] * math.ceil(samples / settings["batch_size"])
    step, history = 0, []
    for epoch in range(settings["epochs"]):
        features = sweep.features_at(epoch)
        order = np.stack([stream.permutation(samples) for stream in streams])
        met, losses, norms = [], [], []
        for batch in torch.from_numpy(order).to(device).split(settings["batch_size"], dim=1):
            logits = cache.logits(keys, features[rows, batch])
            loss = cross_entropy(logits, sweep.labels[rows, batch])  # (R, B)
            (gradient,) = torch.autograd.grad(loss.mean(dim=1).sum(), keys)
            rate = settings["learning_rate"] * (1 + math.cos(math.pi * step / steps)) / 2
            optimiser.step(gradient, rate)
            step += 1
            met.append(logits.detach())
            losses.append(loss.detach().sum(dim=1))
            norms.append(gradient.flatten(1).norm(dim=1))
        shuffled = torch.from_numpy(order).to(device)
        mean_loss = torch.stack(losses).sum(dim=0) / samples
        if not torch.isfinite(mean_loss).all():
            raise InputError(
                f"the loss of the sweep is no longer finite in epoch {epoch + 1}; "
                "lower its learning_rate"
            )
        rows_of_epoch = fitted_histories(
            torch.cat(met, dim=1),
            sweep.labels[rows, shuffled],
            sweep.labels_clean[rows, shuffled],
            mean_loss,
            iterations=epoch + 1,
            gradient_norm=torch.stack(norms).mean(dim=0),
        )
        history.append([row.assign(learning_rate=rate) for row in rows_of_epoch])
    keys.requires_grad_(False)
    return [
        pd.concat([epoch[run] for epoch in history], ignore_index=True)[list(HISTORY)]
        for run in range(runs)
    ]
