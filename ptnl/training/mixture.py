"""A mixture of two normal distributions, fitted to the losses of each of R runs."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# DivideMix, and JoAPR after it, call scikit-learn's GaussianMixture with these.
MAX_ITERATIONS, TOLERANCE, LEAST_VARIANCE = 10, 1e-2, 5e-4


@dataclass(frozen=True)
class Mixture:
    """Two components per run, the one with the smaller mean first; each field is (R, 2)."""

    means: Tensor
    variances: Tensor
    weights: Tensor

    def log_joint(self, values: Tensor) -> Tensor:
        """Logarithms of weight times density (R, N, 2) at values (R, N)."""
        deviations = (values[..., None] - self.means[:, None]).square() / self.variances[:, None]
        log_density = -0.5 * (deviations + (2 * math.pi * self.variances).log()[:, None])
        return log_density + self.weights.log()[:, None]

    def posterior(self, values: Tensor) -> Tensor:
        """The probability (R, N) that a value comes from the component with the smaller mean."""
        return self.log_joint(values).softmax(dim=-1)[..., 0]


def fit_mixture(values: Tensor) -> Mixture:
    """Fit two normal distributions to the values (R, N) of each run, by EM, in float64.

    This is scikit-learn's algorithm with another start: its k-means starts at random, and this one
    at the smallest and largest value, so that equal values give equal mixtures.
    """
    values = values.double()
    mixture = _maximise(values, _two_means(values))
    bound = values.new_full((len(values),), -torch.inf)
    going = torch.ones_like(bound, dtype=torch.bool)
    for _ in range(MAX_ITERATIONS):
        joint = mixture.log_joint(values)
        new_bound = joint.logsumexp(dim=-1).mean(dim=1)
        better = _maximise(values, joint.softmax(dim=-1))
        mixture = Mixture(
            *(
                new.where(going[:, None], old)
                for new, old in (
                    (better.means, mixture.means),
                    (better.variances, mixture.variances),
                    (better.weights, mixture.weights),
                )
            )
        )
        going = going & ((new_bound - bound).abs() >= TOLERANCE)
        bound = new_bound
    first = mixture.means.argsort(dim=1)
    return Mixture(
        *(part.gather(1, first) for part in (mixture.means, mixture.variances, mixture.weights))
    )


def _maximise(values: Tensor, shares: Tensor) -> Mixture:
    """The mixture that fits values (R, N) best, given each component's shares of them (R, N, 2)."""
    owned = shares.sum(dim=1) + 10 * torch.finfo(values.dtype).eps
    means = (shares * values[..., None]).sum(dim=1) / owned
    deviations = (values[..., None] - means[:, None]).square()
    variances = (shares * deviations).sum(dim=1) / owned + LEAST_VARIANCE
    return Mixture(means, variances, owned / owned.sum(dim=1, keepdim=True))


def _two_means(values: Tensor) -> Tensor:
    """Assign values to the nearer of two means by Lloyd's algorithm; one-hot (R, N, 2)."""
    centres = torch.stack([values.amin(dim=1), values.amax(dim=1)], dim=1)
    shares = torch.zeros(*values.shape, 2, dtype=values.dtype, device=values.device)
    while True:
        nearest = (values[..., None] - centres[:, None]).abs().argmin(dim=-1)
        now = torch.nn.functional.one_hot(nearest, 2).to(values.dtype)
        if torch.equal(now, shares):
            return shares
        shares = now
        counts = shares.sum(dim=1)
        means = (shares * values[..., None]).sum(dim=1) / counts.clamp(min=1)
        centres = means.where(counts > 0, centres)
