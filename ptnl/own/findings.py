"""The tables of an audit: which labels to look at first, and what kind of noise there is. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import beta

from ptnl.own.duplicates import conflicting, duplicate_pairs, groups
from ptnl.own.encode import Images
from ptnl.own.label_scores import LabelScores

# Below these, an image is worth a look: standard deviation and mean of the prepared image's grey
# levels (0 to 255), and the file's shorter side as a share of the encoder's input.
BLANK_SPREAD, DARK_MEAN, TINY_SHARE = 2.0, 16.0, 0.25
LEAST_TRANSITION = 0.5  # smallest expected number of labels in a row of the transition table


@dataclass(frozen=True)
class Findings:
    """The tables of an audit."""

    ranking: pd.DataFrame  # one row per label, in the order in which to look at them
    transitions: pd.DataFrame  # one row per pair of a true class and a wrong label
    effort: pd.DataFrame  # how many wrong labels looking at n images is expected to find
    duplicates: pd.DataFrame  # one row per pair of equal or nearly equal images
    looks: pd.DataFrame  # blank, tiny and dark images


def findings(
    images: Images,
    rows: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    scores: LabelScores,
    input_size: int,
) -> Findings:
    """Make the tables of an audit.

    Parameters
    ----------
    rows : (N) positions of the labelled images among all images
    labels : (N), their labels
    names : C class names
    input_size : side of the encoder's input in pixels
    """
    of_label = pd.Series(np.array(images.names, dtype=object)[rows])
    pairs = duplicate_pairs(
        [images.digests[row] for row in rows],
        images.thumbnails[rows],
        scores.neighbours,
        scores.similarities,
    )
    conflicts = conflicting(groups(pairs, len(rows)), labels)
    return Findings(
        ranking=ranking(of_label, labels, names, scores, conflicts),
        transitions=transitions(scores.posterior, labels, names),
        effort=effort(scores.right, conflicts),
        duplicates=_named_pairs(pairs, of_label, labels, names),
        looks=looks(images, input_size),
    )


def ranking(
    images: pd.Series,
    labels: np.ndarray,
    names: Sequence[str],
    scores: LabelScores,
    conflicts: np.ndarray,
) -> pd.DataFrame:
    """All labels: first those of equal images with different labels, then the most doubtful."""
    others = scores.posterior.copy()
    others[np.arange(len(labels)), labels] = -1
    named = np.array(names, dtype=object)
    agreeing = (labels[scores.neighbours] == labels[:, None]).mean(axis=1)
    table = pd.DataFrame(
        {
            "image": images,
            "label": named[labels],
            "suggested": named[others.argmax(axis=1)],
            "probability_wrong": (1 - scores.right).round(6),
            "duplicate_disagrees": conflicts,
            "prompt_margin": scores.prompt_margins.round(6),
            "neighbours_agreeing": agreeing.round(3),
        }
    )
    order = look_order(scores.right, conflicts)
    return table.iloc[order].reset_index(drop=True)


def look_order(right: np.ndarray, conflicts: np.ndarray) -> np.ndarray:
    """Positions (N) of the labels in the order in which to look at them."""
    return np.lexsort((right, ~conflicts))


def effort(right: np.ndarray, conflicts: np.ndarray) -> pd.DataFrame:
    """How many wrong labels are expected among the first n, for up to a hundred n."""
    wrong = (1 - right)[look_order(right, conflicts)]
    found = wrong.cumsum()
    looked = np.unique(np.linspace(1, len(wrong), min(100, len(wrong))).round().astype(int))
    return pd.DataFrame(
        {
            "images": looked,
            "expected_finds": found[looked - 1].round(1),
            "share_of_all": (found[looked - 1] / max(found[-1], 1e-12)).round(4),
        }
    )


def transitions(posterior: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> pd.DataFrame:
    """How often images of one class have the label of another, with 95 % intervals.

    Counts are sums of the probabilities (N, C) of true classes. The intervals are Jeffreys
    intervals of a binomial share with these counts.
    """
    size = len(names)
    counts = np.zeros((size, size))  # true class, given label
    for label in range(size):
        counts[:, label] = posterior[labels == label].sum(axis=0)
    of_class = counts.sum(axis=1)
    true, given = np.nonzero((counts >= LEAST_TRANSITION) & ~np.eye(size, dtype=bool))
    hits, misses = counts[true, given], of_class[true] - counts[true, given]
    table = pd.DataFrame(
        {
            "true_class": [names[number] for number in true.tolist()],
            "given_label": [names[number] for number in given.tolist()],
            "images": hits.round(1),
            "share": (hits / of_class[true]).round(4),
            "low": np.round(beta.ppf(0.025, hits + 0.5, misses + 0.5), 4),
            "high": np.round(beta.ppf(0.975, hits + 0.5, misses + 0.5), 4),
        }
    )
    return table.sort_values("images", ascending=False, kind="stable", ignore_index=True)


def looks(images: Images, input_size: int) -> pd.DataFrame:
    """Blank, dark and tiny images; an image to which several apply is called by the first."""
    mean, spread = images.light.T
    found = np.select(
        [
            spread < BLANK_SPREAD,
            mean < DARK_MEAN,
            images.sizes.min(axis=1) < TINY_SHARE * input_size,
        ],
        ["blank", "dark", "tiny"],
        "",
    )
    rows = np.flatnonzero(found != "")
    return pd.DataFrame(
        {
            "image": [images.names[row] for row in rows],
            "what": found[rows],
            "width": images.sizes[rows, 0],
            "height": images.sizes[rows, 1],
        }
    )


def _named_pairs(
    pairs: pd.DataFrame, images: pd.Series, labels: np.ndarray, names: Sequence[str]
) -> pd.DataFrame:
    named = np.array(names, dtype=object)[labels]
    first, second = pairs["first"].to_numpy(int), pairs["second"].to_numpy(int)
    table = pd.DataFrame(
        {
            "image": images.to_numpy()[first],
            "other": images.to_numpy()[second],
            "kind": pairs.kind,
            "label": named[first],
            "other_label": named[second],
        }
    )
    differ = table.label != table.other_label
    return pd.concat([table[differ], table[~differ]], ignore_index=True)
