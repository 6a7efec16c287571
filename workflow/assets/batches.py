"""The batches of a training. Each has a random stream of its own, so any step can be repeated."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from captions import Captioner
from looks import draw_looks, style_of
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from vocabulary import Vocabulary

Batch = dict[str, Tensor]


@dataclass(frozen=True)
class Steps(Dataset):
    """Item s is the batch of step s: indices, colours, places and, for CLIPs, captions."""

    names: np.ndarray  # of the drawings
    coloured: np.ndarray
    style: np.ndarray
    code: np.ndarray  # drawings of one name have one code
    draw: Callable[[np.random.Generator], np.ndarray]  # -> rows of a batch
    seed: int
    captioner: Captioner | None = None
    vocabulary: Vocabulary | None = None

    @classmethod
    def of(cls, rows: pd.DataFrame, **rest) -> "Steps":
        """The steps of a training on all drawings of a table."""
        style = [style_of(*pair) for pair in zip(rows.icon_set, rows.icon, strict=True)]
        names = rows.name.to_numpy()
        code = np.unique(names, return_inverse=True)[1]
        return cls(names, rows.coloured.to_numpy(), np.array(style), code, **rest)

    def __getitem__(self, step: int) -> Batch:
        rng = np.random.default_rng([self.seed, step])
        index = self.draw(rng)
        looks = draw_looks(rng, self.coloured[index], self.style[index])
        batch = {
            "index": index,
            "ink": looks.ink,
            "paper": looks.paper,
            "affine": looks.affine,
            "name": self.code[index],
        }
        if self.captioner is not None:
            texts = self.captioner.captions(
                rng, self.names[index], looks, self.vocabulary.tokens_of
            )
            batch["tokens"] = self.vocabulary.pad(texts)
        batch["seed"] = np.array(rng.integers(2**31))
        return {key: torch.from_numpy(value) for key, value in batch.items()}


def weighted(weight: np.ndarray, size: int) -> Callable[[np.random.Generator], np.ndarray]:
    """A function that draws rows with replacement, with probabilities in proportion to weights."""
    edges = np.cumsum(weight / weight.sum())
    last = len(edges) - 1
    return lambda rng: np.minimum(np.searchsorted(edges, rng.random(size), side="right"), last)


def name_weights(rows: pd.DataFrame, shared: float) -> np.ndarray:
    """Weights of the drawings: `shared` where several sets use the name, 1 elsewhere."""
    sets_per_name = rows.groupby("name").icon_set.nunique()
    return np.where(rows.name.map(sets_per_name) > 1, shared, 1.0)


def load(steps: Steps, first: int, count: int, device: torch.device, workers: int) -> Iterator:
    """The batches of steps `first` to `count` - 1; all but `index` and `seed` are on the device.

    On a GPU, `workers` processes prepare the batches; their number does not change them.
    """
    on_gpu = device.type == "cuda"
    loader = DataLoader(
        steps,
        batch_size=None,
        sampler=range(first, count),
        num_workers=workers if on_gpu else 0,
        pin_memory=on_gpu,
        prefetch_factor=8 if on_gpu and workers else None,
    )
    for batch in loader:
        yield {
            key: value if key in ("index", "seed") else value.to(device, non_blocking=True)
            for key, value in batch.items()
        }
