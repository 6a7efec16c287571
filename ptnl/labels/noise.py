"""Label noise in a few-shot draw. Each kind is one function in `NOISES`.

A kind takes a `Request` and returns the labelled images that training sees, with the columns of
`ptnl.schemas.NOISY_SHOTS`. Most kinds keep the draw and flip labels in it; `fp_swap` and
`fp_swap_2022` draw images of their own. With a kind that flips, the wrong labels at a lower rate
are the same at every higher rate of that seed. Kinds with exactly `fp` wrong labels per class flip
the same images.

The Snakefile uses the registry, so importing this module does not import pandas.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ptnl.errors import InputError
from ptnl.machine.random_streams import random_stream

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Request:
    """The input of a kind of noise: the images, and how many wrong labels are wanted."""

    manifest: pd.DataFrame  # every image (`ptnl.schemas.MANIFEST`), in split-file order
    draw: pd.DataFrame  # the few-shot draw (`ptnl.schemas.SHOTS`)
    shots: int  # images per class in the draw
    fp: int  # wrong labels per class
    seed: int
    pseudolabels: pd.DataFrame | None = None  # zero-shot predictions, for kinds that need them
    favoured_by: str = "image"  # what decides which class `confusion` favours: image or class

    @property
    def train(self) -> pd.DataFrame:
        """The draw's training images."""
        return self.draw[self.draw.split == "train"]

    @property
    def classes(self) -> int:
        """Number of classes of the data set."""
        return int(self.manifest.label.max()) + 1


def _labelled(images: pd.DataFrame, noisy: np.ndarray) -> pd.DataFrame:
    """Images of the manifest with the labels (n,) that training sees."""
    clean = images.label.to_numpy()
    labelled = images[["image"]].assign(label_clean=clean, label=noisy, is_noisy=noisy != clean)
    return labelled.reset_index(drop=True)


def _check_fp(request: Request) -> None:
    if request.fp > request.shots:
        raise InputError(f"{request.fp} wrong labels do not fit into {request.shots} shots")


def _orders(
    labels: np.ndarray, fp: int, seed: int
) -> Iterator[tuple[int, np.ndarray, np.random.Generator]]:
    """(class, positions of its images in the order in which labels become wrong, random stream).

    Each class has a stream of its own, so it does not depend on the other classes.
    """
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if fp > len(members):
            raise InputError(
                f"{fp} wrong labels do not fit into the {len(members)} shots of class {label}"
            )
        stream = random_stream("noise", seed, int(label))
        yield int(label), stream.permutation(members), stream


def symmetric(request: Request) -> pd.DataFrame:
    """Flip exactly `fp` labels of every class, uniformly to the other classes.

    "Noisy labels are drawn uniformly at random from other categories" (paper, section 4.1).
    """
    clean = request.train.label.to_numpy()
    noisy = clean.copy()
    for label, order, stream in _orders(clean, request.fp, request.seed):
        shift = stream.integers(1, request.classes, size=len(order))
        noisy[order[: request.fp]] = (label + shift[: request.fp]) % request.classes
    return _labelled(request.train, noisy)


def pairflip(request: Request) -> pd.DataFrame:
    """Flip exactly `fp` labels of every class to the next class, the last to the first (JoAPR)."""
    clean = request.train.label.to_numpy()
    noisy = clean.copy()
    for label, order, _ in _orders(clean, request.fp, request.seed):
        noisy[order[: request.fp]] = (label + 1) % request.classes
    return _labelled(request.train, noisy)


def confusion(request: Request) -> pd.DataFrame:
    """Flip exactly `fp` labels of every class to the wrong class that zero-shot CLIP prefers.

    "Each mislabeled sample is labeled as the incorrect class that is most favored by zero-shot
    CLIP" (paper, section 4.6). For an image, CLIP favours the wrong class with the highest
    score. If `favoured_by` is "image", an image gets this class; if it is "class", it gets the one
    that is favoured for most training images of its class (among equals, the first).
    """
    clean = request.train.label.to_numpy()
    predicted = request.pseudolabels
    assert predicted is not None  # guaranteed by the registry
    if request.favoured_by == "image":
        favoured = predicted.set_index("image").label_confused
        confused = favoured.loc[request.train.image].to_numpy()
    else:
        of_class = predicted[predicted.split == "train"].groupby("label").label_confused
        confused = of_class.agg(lambda favoured: favoured.mode().iloc[0]).loc[clean].to_numpy()
    noisy = clean.copy()
    for _, order, _ in _orders(clean, request.fp, request.seed):
        wrong = order[: request.fp]
        noisy[wrong] = confused[wrong]
    return _labelled(request.train, noisy)


def symmetric_global(request: Request) -> pd.DataFrame:
    """Flip floor(N fp / shots) of the draw's N labels, uniformly to the other classes (NLPrompt).

    Wrong labels are counted over the whole draw, so a class may have more or fewer than `fp`.
    """
    _check_fp(request)
    clean = request.train.label.to_numpy()
    stream = random_stream("noise over the whole draw", request.seed)
    wrong = stream.permutation(len(clean))[: len(clean) * request.fp // request.shots]
    shift = stream.integers(1, request.classes, size=len(clean))
    noisy = clean.copy()
    noisy[wrong] = (clean + shift)[wrong] % request.classes
    return _labelled(request.train, noisy)


def fp_swap(request: Request) -> pd.DataFrame:
    """Replace `fp` right images of every class by images of other classes, as PTNL's code does.

    The training images of a class, in split-file order, are halved: the first half (rounded up)
    can be drawn with its right label, the second half with a wrong one. `shots` images are drawn
    from the first half, with replacement where it is too small (numpy's `default_rng(seed)`, class
    by class); then the first `fp` of them give way to images drawn with replacement (Python's
    `random.choices`) from the second halves of the other classes, except those that an earlier
    class has taken. An image drawn twice for a class counts once, so a class may have fewer than
    `shots` images, and its share of wrong labels may differ from fp / shots.

    The right images are those that the released code draws from a manifest in its order, nested
    across `fp`. The wrong ones follow the same distribution but not the same stream, which is
    Python's global one there, in whatever state the libraries leave it. (CEWu/PTNL,
    trainers/utils.py, `select_top_k_similarity_per_class_with_noisy_label`.)
    """
    _check_fp(request)
    images = request.manifest[request.manifest.split == "train"]
    labels = images.label.to_numpy()
    right_stream = np.random.default_rng(request.seed)
    wrong_stream = random.Random(request.seed)
    halves = {}
    for label in range(request.classes):
        rows = np.flatnonzero(labels == label)
        halves[label] = np.split(rows, [math.ceil(len(rows) / 2)])
    free = np.sort(np.concatenate([second for _, second in halves.values()]))
    is_free = np.isin(np.arange(len(labels)), free)
    drawn, seen = [], []
    for label, (first, second) in halves.items():
        size, replace = request.shots, len(first) < request.shots
        right = first[right_stream.choice(len(first), size=size, replace=replace)]
        # Positions of the class's own images among the free ones. Looking at all free images for
        # each class would take time quadratic in the number of classes.
        own = np.searchsorted(free, second[is_free[second]])
        others = len(free) - len(own)
        if request.fp and not others:
            raise InputError(f"no image of another class is left to mislabel as class {label}")
        picked = wrong_stream.choices(range(others), k=request.fp)
        taken = np.array(picked, dtype=np.int64)  # positions among the images of other classes
        at = taken + np.searchsorted(own - np.arange(len(own)), taken, side="right")
        wrong = free[at]
        free = np.delete(free, at)
        is_free[wrong] = False
        chosen = np.unique([*wrong, *right[request.fp :]])
        drawn.append(chosen)
        seen.append(np.full(len(chosen), label))
    return _labelled(images.iloc[np.concatenate(drawn)], np.concatenate(seen))


def fp_swap_2022(request: Request) -> pd.DataFrame:
    """Import images of other classes as PTNL's code did before July 2023.

    It differs from `fp_swap` in three ways. The training images of a class are split by the rate:
    the first n (1 - fp / shots), rounded up, can be drawn with their right label, the others with a
    wrong one; so the clean draw takes from all images, and lower rates' images are not nested in
    higher rates'. Two classes may import the same image. An image has one label, that of the last
    class which imported it, so the earlier class loses it. (CEWu/PTNL at 79bdc35,
    trainers/utils.py; the paper appeared days before the rule changed.)
    """
    _check_fp(request)
    images = request.manifest[request.manifest.split == "train"]
    labels = images.label.to_numpy()
    right_stream = np.random.default_rng(request.seed)
    wrong_stream = random.Random(request.seed)
    pools = {}
    for label in range(request.classes):
        rows = np.flatnonzero(labels == label)
        pools[label] = np.split(rows, [math.ceil(len(rows) * (1 - request.fp / request.shots))])
    importable = np.sort(np.concatenate([wrong for _, wrong in pools.values()]))
    seen: dict[int, int] = {}
    for label, (right, _) in pools.items():
        drawn = right
        if request.fp < request.shots:
            size, replace = request.shots, len(right) < request.shots
            drawn = right[right_stream.choice(len(right), size=size, replace=replace)]
        others = importable[labels[importable] != label]
        if request.fp and not len(others):
            raise InputError(f"no image of another class is left to mislabel as class {label}")
        wrong = wrong_stream.choices(others, k=request.fp)
        seen.update((int(row), label) for row in (*wrong, *drawn[request.fp :]))
    order = sorted(seen, key=lambda row: (seen[row], row))
    return _labelled(images.iloc[order], np.array([seen[row] for row in order]))


@dataclass(frozen=True)
class Noise:
    """A kind of noise, and what it requires."""

    label: Callable[[Request], pd.DataFrame]
    needs_pseudolabels: bool = False
    draws_images: bool = False  # whether it trains on other images than the few-shot draw


NOISES = {
    "symmetric": Noise(symmetric),
    "symmetric_global": Noise(symmetric_global),
    "pairflip": Noise(pairflip),
    "confusion": Noise(confusion, needs_pseudolabels=True),
    "fp_swap": Noise(fp_swap, draws_images=True),
    "fp_swap_2022": Noise(fp_swap_2022, draws_images=True),
}
