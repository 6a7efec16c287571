"""The interval of a mean over seeds covers as often as it says, however data sets correlate."""

import numpy as np
import pytest

from ptnl.analysis.intervals import mean_interval


def test_the_interval_is_that_of_students_t():
    mean, low, high = mean_interval([1.0, 2.0, 4.0, 5.0])
    assert mean == 3.0
    half = 3.182446 * np.std([1, 2, 4, 5], ddof=1) / 2  # Student's quantile for three degrees
    assert (low, high) == pytest.approx((3 - half, 3 + half), abs=1e-5)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("datasets", [1, 2, 7])
def test_an_interval_of_95_percent_covers_as_often(correlation, datasets):
    rng = np.random.default_rng(1)
    trials, seeds = 2000, 4
    shared = rng.normal(size=(trials, 1, seeds)) * correlation**0.5
    own = rng.normal(size=(trials, datasets, seeds)) * (1 - correlation) ** 0.5
    covered = [low <= 0 <= high for _, low, high in map(mean_interval, (shared + own).mean(axis=1))]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)  # three standard errors


def test_a_higher_level_is_wider():
    sample = [1.0, 2.0, 4.0, 8.0, 9.0]
    _, low, high = mean_interval(sample, 0.8)
    _, lower, higher = mean_interval(sample, 0.95)
    assert lower < low < high < higher


def test_two_observations_have_an_interval():
    """Student's quantile for one degree is 12.71; the mean's deviation is 1."""
    assert mean_interval([1.0, 3.0]) == pytest.approx((2, 2 - 12.70620, 2 + 12.70620), abs=1e-4)


def test_observations_of_low_precision_are_averaged_in_double():
    observed = np.array([1, 1 + 2**-10], dtype=np.float16)
    assert mean_interval(observed).mean == 1 + 2**-11


def test_an_interval_without_spread_is_a_point_and_that_of_one_value_unknown():
    assert mean_interval([2.0, 2.0, 2.0]) == (2.0, 2.0, 2.0)
    mean, low, high = mean_interval([2.0])
    assert mean == 2.0
    assert np.isnan([low, high]).all()
