"""Fine-tuning: an image encoder pre-trained with labels only, trained whole (paper, Figure 1).

Prompt tuning and linear probes on CLIP are compared with it: here every weight learns from the few
images, and nothing comes from language. It trains on the same views of the images as the other
methods: an augmented view in every epoch, or always the view under the test transform.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.func import functional_call
from tqdm import tqdm

from ptnl.backbones.image_encoders import ImageEncoder
from ptnl.training.losses import Loss
from ptnl.training.optim import train_sgd
from ptnl.training.tuning import TunedRun


@dataclass(frozen=True)
class Draw:
    """The N training images of one run."""

    seed: int  # decides the order of the batches
    images_at: Callable[[int], Tensor]  # epoch, from 0 -> (N, 3, S, S) uint8
    labels: Tensor  # (N), what training sees
    labels_clean: Tensor  # (N)


def train(
    encoder: ImageEncoder, draw: Draw, loss: Loss, settings: Mapping[str, Any]
) -> pd.DataFrame:
    """Train every weight of the encoder's model in place, by SGD with CoOp's schedule.

    Batch norm is in training mode, so its statistics come from the few images, too.

    Parameters
    ----------
    encoder : the pre-trained model
    draw : training images and labels
    loss : one value per sample
    settings : epochs, batch_size, learning_rate, momentum, weight_decay, warmup_epochs,
        warmup_learning_rate

    Returns
    -------
    the run's history (see `ptnl.schemas.HISTORY`)

    Raises
    ------
    InputError : the loss is no longer finite
    """
    model, device = encoder.model.train(), encoder.mean.device
    start = dict(model.named_parameters())
    parameters = {name: weight.detach().clone()[None] for name, weight in start.items()}
    for weight in parameters.values():
        weight.requires_grad_()

    def class_logits(parameters: dict[str, Tensor], images: Tensor) -> Tensor:
        weights = {name: weight.squeeze(0) for name, weight in parameters.items()}
        logits: Tensor = functional_call(model, weights, (encoder.normalise(images.squeeze(0)),))
        return logits[None]

    # By default cuDNN may add up gradients in another order each time, and so round differently.
    cudnn = torch.backends.cudnn
    with cudnn.flags(enabled=True, deterministic=True, allow_tf32=cudnn.allow_tf32):
        (history,) = train_sgd(
            parameters,
            class_logits,
            lambda epoch: draw.images_at(epoch)[None].to(device),
            draw.labels[None].to(device),
            draw.labels_clean[None].to(device),
            [draw.seed],
            loss,
            settings,
        )
    with torch.no_grad():
        for name, weight in start.items():
            weight.copy_(parameters[name][0])
    return history


@torch.inference_mode()
def predict(
    encoder: ImageEncoder, states: list[dict[str, Tensor]], batches: Iterable[Tensor]
) -> list[Tensor]:
    """Logits (T, C) of each of several states of the encoder's model.

    Each batch of images, (B, 3, S, S) in uint8, passes through one state after the other. So the T
    images are decoded only once, and are never all in memory.
    """
    model, device = encoder.model.eval(), encoder.mean.device
    parts: list[list[Tensor]] = [[] for _ in states]
    for batch in batches:
        images = encoder.normalise(batch)
        for part, state in zip(parts, states, strict=True):
            weights = {name: value.to(device) for name, value in state.items()}
            part.append(functional_call(model, weights, (images,)).cpu())
    return [torch.cat(part) for part in parts]


def tune(
    encoder: ImageEncoder,
    draws: Iterable[Draw],
    test_batches: Iterable[Tensor],
    loss: Loss,
    settings: Mapping[str, Any],
) -> list[TunedRun]:
    """Fine-tune the encoder on one draw after the other, each time from the same start.

    The trained weights of all runs wait on the CPU for the test images (see `predict`).
    """
    model = encoder.model
    start = {name: value.clone() for name, value in model.state_dict().items()}
    histories, states = [], []
    for draw in tqdm(draws, unit="run", disable=None):
        model.load_state_dict(start)
        histories.append(train(encoder, draw, loss, settings))
        states.append({n: v.to("cpu", copy=True) for n, v in model.state_dict().items()})
    trained = {name for name, _ in model.named_parameters()}
    return [
        TunedRun(
            {name: value for name, value in state.items() if name in trained},
            history,
            logits,
            {name: value for name, value in state.items() if name not in trained},
        )
        for history, state, logits in zip(
            histories, states, predict(encoder, states, test_batches), strict=True
        )
    ]
