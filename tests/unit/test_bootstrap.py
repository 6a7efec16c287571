"""The bootstrap interval: covers what it says, and is the same twice."""

import numpy as np
import pytest

from ptnl.analysis.bootstrap import stratified_interval, t_quantile


@pytest.mark.parametrize(
    ("freedom", "quantile", "tolerance"),
    [(3, 3.182, 0.03), (6, 2.447, 0.002), (21, 2.080, 0.001), (10_000, 1.960, 0.001)],
)
def test_quantiles_of_students_t(freedom, quantile, tolerance):
    assert t_quantile(0.975, freedom) == pytest.approx(quantile, abs=tolerance)


@pytest.mark.parametrize(
    ("strata", "size", "least", "most"),
    [(1, 4, 0.83, 0.91), (2, 4, 0.91, 0.97), (7, 4, 0.91, 0.97), (2, 8, 0.92, 0.98)],
)
def test_coverage_of_95_percent(strata, size, least, most):
    rng = np.random.default_rng(1)
    centres = np.linspace(-3, 5, strata)[:, None]
    trials = 300
    covered = 0
    for trial in range(trials):
        sample = centres + rng.normal(size=(strata, size))
        low, high = stratified_interval(list(sample), resamples=500, seed=trial)
        covered += low <= centres.mean() <= high
    assert least <= covered / trials <= most


def test_strata_weigh_alike_and_their_distance_is_no_spread():
    strata = [np.full(4, 10.0), np.full(8, 20.0)]
    assert stratified_interval(strata) == (15.0, 15.0)


def test_equal_seeds_give_equal_intervals():
    sample = [np.array([1.0, 2.0, 4.0, 8.0]), np.array([0.0, 3.0, 5.0, 6.0])]
    assert stratified_interval(sample, seed=3) == stratified_interval(sample, seed=3)
    assert stratified_interval(sample, seed=3) != stratified_interval(sample, seed=4)


def test_a_higher_level_is_wider():
    sample = [np.array([1.0, 2.0, 4.0, 8.0, 9.0]), np.array([0.0, 3.0, 5.0, 6.0, 6.5])]
    low, high = stratified_interval(sample, level=0.8)
    lower, higher = stratified_interval(sample, level=0.95)
    assert lower < low < high < higher


def test_one_observation_has_no_spread():
    with pytest.raises(ValueError, match="fewer than two"):
        stratified_interval([np.array([1.0, 2.0]), np.array([1.0])])
