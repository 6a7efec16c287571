"""A bootstrap confidence interval for few, stratified observations."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

NORMAL = NormalDist()


def t_quantile(probability: float, freedom: int) -> float:
    """Quantile of Student's t, by its Cornish-Fisher expansion.

    Abramowitz & Stegun 26.7.5; within 1 % for 3 degrees of freedom and 0.975, closer above.
    """
    z = NORMAL.inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, start=1))


def stratified_interval(
    strata: Sequence[np.ndarray], *, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap confidence interval of the mean of the strata's means.

    Strata stay as they are; within each, observations are drawn with replacement. Two corrections
    make up for strata of few observations: a resample of n observations has n - 1 draws, whose
    variance is the unbiased estimate (McCarthy & Snowden 1985), and percentiles are taken where
    Student's t has its quantile instead of the normal distribution (Hesterberg 2015, the expanded
    percentile interval). No resample goes beyond the smallest and largest observation, so that one
    stratum of 4 normal observations is covered 87 % of the time and not 95 %; two are at 94 %.

    Parameters
    ----------
    strata : arrays of at least two observations each, of any unit
    level : confidence
    resamples : how many
    seed : decides the draws; equal calls give equal intervals

    Returns
    -------
    Lower and upper end, in the unit of the observations.
    """
    if min(map(len, strata)) < 2:
        raise ValueError("a stratum of fewer than two observations has no spread")
    rng = np.random.default_rng(seed)
    means = np.zeros(resamples)
    for stratum in strata:
        draws = rng.integers(len(stratum), size=(resamples, len(stratum) - 1))
        means += np.asarray(stratum)[draws].mean(axis=1) / len(strata)
    freedom = sum(len(stratum) - 1 for stratum in strata)
    tail = NORMAL.cdf(-t_quantile((1 + level) / 2, freedom))
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
