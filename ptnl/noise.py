"""Label noise in a few-shot draw. Each kind is one function in `NOISES`."""

from collections.abc import Callable

import numpy as np

from ptnl.errors import InputError


def symmetric(labels: np.ndarray, classes: int, fp: int, seed: int) -> np.ndarray:
    """Flip exactly `fp` labels of every class, uniformly to the other classes.

    "Noisy labels are drawn uniformly at random from other categories" (paper, section 4.1). For
    one seed the wrong labels are nested: those of a lower rate stay wrong, and the same, at a
    higher one. A class's stream is its own, so that it does not depend on the other classes.

    Parameters
    ----------
    labels : (n,) clean labels, in [0, classes)
    classes : number of classes, at least 2
    fp : wrong labels per class
    seed : seed of the noise

    Returns
    -------
    (n,) labels that training sees
    """
    noisy = labels.copy()
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if fp > len(members):
            raise InputError(
                f"{fp} wrong labels do not fit into the {len(members)} shots of class {label}"
            )
        stream = np.random.default_rng([seed, int(label)])
        order = stream.permutation(members)
        shift = stream.integers(1, classes, size=len(members))
        noisy[order[:fp]] = (label + shift[:fp]) % classes
    return noisy


# Kinds whose training images are not those of the few-shot draw.
DRAW_IMAGES: frozenset[str] = frozenset()

# Kind -> function of (clean labels, number of classes, wrong labels per class, seed).
NOISES: dict[str, Callable[[np.ndarray, int, int, int], np.ndarray]] = {"symmetric": symmetric}
