"""The confidence interval of a mean over few seeds."""

from collections.abc import Sequence
from math import nan, sqrt
from typing import NamedTuple

import numpy as np
from scipy.special import stdtrit  # Student's quantile; scipy.stats takes half a second to import

LEVEL = 0.95


class Estimate(NamedTuple):
    """A mean and its confidence interval, in the unit of the observations."""

    mean: float
    low: float
    high: float


def mean_interval(values: Sequence[float] | np.ndarray, level: float = LEVEL) -> Estimate:
    """Mean of independent observations with Student's interval; without ends for a single one.

    An observation is a seed. Where several data sets are compared, take the mean over data sets
    first, seed by seed: a seed decides the same draw of random numbers on all of them, so their
    differences may go together, and this interval covers the truth however strongly they do
    (tests/benchmarks/interval_coverage.py).
    """
    values = np.asarray(values, dtype=float)
    mean = float(values.mean())
    if len(values) < 2:
        return Estimate(mean, nan, nan)
    half = stdtrit(len(values) - 1, (1 + level) / 2) * values.std(ddof=1) / sqrt(len(values))
    return Estimate(mean, mean - float(half), mean + float(half))
