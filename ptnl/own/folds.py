"""Cross-fitting: every labelled image is judged by a model trained without it. Pure."""

import numpy as np

from ptnl.machine.random_streams import random_stream

FOLDS = 5


def stratified_folds(labels: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Folds (N), 0 to `folds` - 1, over which every class is spread as evenly as possible."""
    fold = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        stream = random_stream("own_folds", seed, int(label))
        members = stream.permutation(np.flatnonzero(labels == label))
        fold[members] = (np.arange(len(members)) + stream.integers(folds)) % folds
    return fold


def draw_per_class(labels: np.ndarray, rows: np.ndarray, shots: int, *seeds: int) -> np.ndarray:
    """Up to `shots` random rows of every label, in the order of the labels."""
    drawn = []
    for label in np.unique(labels[rows]):
        stream = random_stream("own_shots", int(label), *seeds)
        drawn.append(stream.permutation(rows[labels[rows] == label])[:shots])
    return np.concatenate(drawn)
