"""Random numbers, a stream of its own for every purpose."""

import hashlib

import numpy as np


def random_stream(purpose: str, *numbers: int) -> np.random.Generator:
    """The random numbers of a purpose, for a seed and whatever else tells its streams apart.

    The purpose is part of the seed, so that two purposes with equal numbers (the noise of class 0
    and the order of the batches, both of seed 1) never draw the same numbers. Give a purpose
    equally many numbers everywhere: numpy takes a missing last number for a zero.

    The few-shot draw and the imports of `fp_swap` do without: their streams are those of the code
    that they reproduce.
    """
    name = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "big")
    return np.random.default_rng([name, *numbers])
