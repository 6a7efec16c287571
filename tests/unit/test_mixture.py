"""The mixture of two normal distributions, compared with scikit-learn's."""

import numpy as np
import torch
from sklearn.mixture import GaussianMixture

from ptnl.training.mixture import fit_mixture

LEAST = 5e-4


def losses() -> torch.Tensor:
    """Three runs of 200 values in [0, 1]: two separate clusters, two that overlap, and only one."""
    stream = np.random.default_rng(0)
    runs = [
        np.concatenate([stream.normal(0.2, 0.05, 120), stream.normal(0.8, 0.1, 80)]),
        np.concatenate([stream.normal(0.3, 0.1, 150), stream.normal(0.5, 0.1, 50)]),
        stream.beta(2, 5, 200),
    ]
    return torch.from_numpy(np.stack(runs)).clamp(0, 1)


def sklearns(values: np.ndarray) -> GaussianMixture:
    """scikit-learn's mixture of one run, started like ours by k-means from the two extremes."""
    centres = np.array([values.min(), values.max()])
    while True:
        nearest = np.abs(values[:, None] - centres).argmin(axis=1)
        means = np.array([values[nearest == part].mean() for part in (0, 1)])
        if np.allclose(means, centres):
            break
        centres = means
    parts = [values[nearest == part] for part in (0, 1)]
    mixture = GaussianMixture(
        n_components=2,
        max_iter=10,
        tol=1e-2,
        reg_covar=LEAST,
        weights_init=[len(part) / len(values) for part in parts],
        means_init=[[part.mean()] for part in parts],
        precisions_init=[[[1 / (part.var() + LEAST)]] for part in parts],
    )
    return mixture.fit(values[:, None])


def test_it_equals_scikit_learns_from_the_same_start():
    values = losses()
    ours = fit_mixture(values)
    for run, own in enumerate(values.numpy()):
        theirs = sklearns(own)
        first = theirs.means_.ravel().argsort()
        np.testing.assert_allclose(ours.means[run], theirs.means_.ravel()[first], rtol=1e-6)
        np.testing.assert_allclose(
            ours.variances[run], theirs.covariances_.ravel()[first], rtol=1e-6
        )
        posterior = theirs.predict_proba(own[:, None])[:, first[0]]
        np.testing.assert_allclose(ours.posterior(values)[run], posterior, atol=1e-6)


def test_a_run_does_not_depend_on_its_neighbours():
    values = losses()
    together = fit_mixture(values)
    for run in range(len(values)):
        alone = fit_mixture(values[run : run + 1])
        assert torch.equal(together.means[run], alone.means[0])


def test_equal_losses_give_finite_posteriors():
    mixture = fit_mixture(torch.full((1, 10), 0.5))
    assert torch.isfinite(mixture.posterior(torch.full((1, 10), 0.5))).all()
