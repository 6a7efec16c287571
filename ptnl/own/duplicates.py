"""Finding equal and nearly equal images. Pure."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# Images are nearly equal if the cosine similarity of their features is at least SIMILARITY, and if
# their thumbnails differ by at most GREY_LEVELS of 255 on average.
SIMILARITY, GREY_LEVELS = 0.99, 2.0


def copies(digests: Sequence[bytes]) -> np.ndarray:
    """The group (N) of each image; images with equal files are in the same group."""
    numbers = {digest: number for number, digest in enumerate(dict.fromkeys(digests))}
    return np.array([numbers[digest] for digest in digests])


def duplicate_pairs(
    digests: Sequence[bytes],
    thumbnails: np.ndarray,
    neighbours: np.ndarray,
    similarities: np.ndarray,
) -> pd.DataFrame:
    """Pairs of equal or nearly equal images: columns first, second (positions) and kind.

    Equal files are found among all images, nearly equal ones only among nearest neighbours.

    Parameters
    ----------
    digests : N, of the files
    thumbnails : (N, S, S), grey
    neighbours, similarities : (N, k)
    """
    group = copies(digests)
    first_of = pd.Series(np.arange(len(group))).groupby(group).transform("first").to_numpy()
    second = np.flatnonzero(first_of != np.arange(len(group)))
    equal = pd.DataFrame({"first": first_of[second], "second": second, "kind": "same file"})
    rows, columns = np.nonzero(similarities >= SIMILARITY)
    others = neighbours[rows, columns]
    pairs = np.unique(np.sort(np.stack([rows, others], axis=1), axis=1), axis=0)
    pairs = pairs[group[pairs[:, 0]] != group[pairs[:, 1]]]
    apart = np.abs(thumbnails[pairs[:, 0]].astype(int) - thumbnails[pairs[:, 1]]).mean(axis=(1, 2))
    near = pairs[apart <= GREY_LEVELS]
    nearly = pd.DataFrame({"first": near[:, 0], "second": near[:, 1], "kind": "nearly equal"})
    return pd.concat([equal, nearly], ignore_index=True)


def groups(pairs: pd.DataFrame, images: int) -> np.ndarray:
    """The group (N) of each image; images that pairs connect are in the same group."""
    edges = (np.ones(len(pairs)), (pairs["first"].to_numpy(), pairs["second"].to_numpy()))
    return connected_components(coo_array(edges, shape=(images, images)), directed=False)[1]


def conflicting(group: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which images (N) have a duplicate with another label."""
    several = pd.Series(labels).groupby(group).nunique()
    of_each: np.ndarray = several.to_numpy()[group]
    return of_each > 1
