"""The confidence interval of a mean over few seeds."""

from math import nan, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit  # Student's quantile; scipy.stats takes half a second to import

LEVEL = 0.95


class Estimate(NamedTuple):
    """A mean and its confidence interval, in the unit of the observations."""

    mean: float
    low: float
    high: float


def mean_interval(values: ArrayLike, level: float = LEVEL) -> Estimate:
    """Mean of independent observations with Student's interval; without ends for a single one.

    An observation is a seed. Where several data sets are compared, take the mean over data sets
    first, seed by seed: a seed decides the same draw of random numbers on all of them, so their
    differences may go together, and this interval covers the truth however strongly they do
    (tests/measurements/interval_coverage.py).
    """
    observed = np.asarray(values, dtype=float)
    count, mean = len(observed), float(observed.mean())
    if count < 2:
        return Estimate(mean, nan, nan)
    half = stdtrit(count - 1, (1 + level) / 2) * observed.std(ddof=1) / sqrt(count)
    return Estimate(mean, mean - float(half), mean + float(half))
