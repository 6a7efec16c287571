"""The history of methods that are fitted in one go: a single row, for the solution."""

import pandas as pd
import torch
from torch import Tensor

from ptnl.schemas import HISTORY


def fitted_histories(
    logits: Tensor,
    labels: Tensor,
    labels_clean: Tensor,
    loss: Tensor,
    *,
    iterations: Tensor | int,
    gradient_norm: Tensor | float = torch.nan,
) -> list[pd.DataFrame]:
    """Histories of one row (see `ptnl.schemas.HISTORY`) of R runs; `epoch` is their iterations.

    Parameters
    ----------
    logits : (R, N, C), of the training images
    labels, labels_clean : (R, N), what training sees and what is true
    loss : (R)
    iterations, gradient_norm : (R), or one value for all runs
    """
    guess, clean = logits.argmax(dim=-1), labels == labels_clean
    seen = (guess == labels).double()
    values = {
        "epoch": torch.as_tensor(iterations).expand(len(labels)),
        "learning_rate": torch.zeros(len(labels)),
        "loss": loss.detach().double(),
        "accuracy_true": 100 * (guess == labels_clean).double().mean(dim=1),
        "accuracy_clean": 100 * (seen * clean).sum(dim=1) / clean.sum(dim=1),
        "accuracy_noisy": 100 * (seen * ~clean).sum(dim=1) / (~clean).sum(dim=1),
        "gradient_norm": torch.as_tensor(gradient_norm, dtype=torch.float64).expand(len(labels)),
    }
    rows = pd.DataFrame({name: value.cpu().numpy() for name, value in values.items()})
    rows = rows.reindex(columns=list(HISTORY))
    return [rows.iloc[[run]].reset_index(drop=True) for run in range(len(rows))]
