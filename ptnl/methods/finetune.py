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
from torch import Tensor, nn
from torch.func import functional_call
from tqdm import tqdm

from ptnl.backbones.image_encoders import ImageEncoder
from ptnl.errors import InputError
from ptnl.schemas import HISTORY
from ptnl.training.epochs import batch_order
from ptnl.training.losses import Loss
from ptnl.training.optim import learning_rates
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
    labels, labels_clean = draw.labels.to(device), draw.labels_clean.to(device)
    rates = learning_rates(
        settings["epochs"],
        settings["learning_rate"],
        settings["warmup_epochs"],
        settings["warmup_learning_rate"],
    )
    order = torch.from_numpy(
        batch_order(draw.seed, len(labels), settings["batch_size"], settings["epochs"])
    )  # (epochs, steps, batch)
    optimiser = torch.optim.SGD(
        model.parameters(),
        lr=rates[0],
        momentum=settings["momentum"],
        weight_decay=settings["weight_decay"],
    )
    rows = []
    for epoch, rate in enumerate(rates, start=1):
        optimiser.param_groups[0]["lr"] = rate
        met, images = order[epoch - 1], draw.images_at(epoch - 1)
        losses, norms, guesses = [], [], []
        for batch in met:
            logits = model(encoder.normalise(images[batch]))
            batch_loss = loss(logits, labels[batch.to(device)]).mean()
            optimiser.zero_grad(set_to_none=True)
            batch_loss.backward()
            gradients = [p.grad for p in model.parameters() if p.grad is not None]
            norms.append(nn.utils.get_total_norm(gradients))
            optimiser.step()
            losses.append(batch_loss.detach())
            guesses.append(logits.detach().argmax(dim=1))
        mean_loss = torch.stack(losses).double().mean().item()
        if not torch.isfinite(torch.tensor(mean_loss)):
            raise InputError(
                f"the loss of the run with seed {draw.seed} is no longer finite in epoch {epoch}; "
                "lower the learning_rate of finetune"
            )
        shown = met.flatten().to(device)
        guess, seen, true = torch.cat(guesses), labels[shown], labels_clean[shown]
        clean = seen == true
        rows.append(
            {
                "epoch": epoch,
                "learning_rate": rate,
                "loss": mean_loss,
                "accuracy_true": _percent(guess == true),
                "accuracy_clean": _percent((guess == seen)[clean]),
                "accuracy_noisy": _percent((guess == seen)[~clean]),
                "gradient_norm": torch.stack(norms).double().mean().item(),
            }
        )
    return pd.DataFrame(rows).reindex(columns=list(HISTORY))


def _percent(hits: Tensor) -> float:
    """The share of hits in percent; NaN if there are no samples."""
    return 100 * hits.double().mean().item()


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
