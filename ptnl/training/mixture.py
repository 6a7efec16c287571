"""Mixtures of two normal distributions of losses, one for each of R runs."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

# As DivideMix, and JoAPR after it, ask scikit-learn's GaussianMixture for them.
MAX_ITERATIONS, TOLERANCE, LEAST_VARIANCE = 10, 1e-2, 5e-4


@dataclass(frozen=True)
class Mixture:
    """Two components a run, that of the smaller mean first; each (R, 2)."""

    means: Tensor
    variances: Tensor
    weights: Tensor

    def log_joint(self, values: Tensor) -> Tensor:
        """Logarithms of weight times density (R, N, 2) at values (R, N)."""
        deviations = (values[..., None] - self.means[:, None]).square() / self.variances[:, None]
        log_density = -0.5 * (deviations + (2 * math.pi * self.variances).log()[:, None])
        return log_density + self.weights.log()[:, None]

    def posterior(self, values: Tensor) -> Tensor:
        """The probability (R, N) that a value comes from the component of the smaller mean."""
        return self.log_joint(values).softmax(dim=-1)[..., 0]


def fit_mixture(values: Tensor) -> Mixture:
    """Fit two normal distributions to the values (R, N) of each run, by EM, in float64.

    scikit-learn's algorithm, but for its start: its k-means starts at random, this one at the
    smallest and largest value, so that equal values give equal mixtures.
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
    """The mixture that fits values (R, N) best, of which each component owns shares (R, N, 2)."""
    owned = shares.sum(dim=1) + 10 * torch.finfo(values.dtype).eps
    means = (shares * values[..., None]).sum(dim=1) / owned
    deviations = (values[..., None] - means[:, None]).square()
    variances = (shares * deviations).sum(dim=1) / owned + LEAST_VARIANCE
    return Mixture(means, variances, owned / owned.sum(dim=1, keepdim=True))


def _two_means(values: Tensor) -> Tensor:
    """Which of two means (R, N, 2), 0 or 1, a value belongs to, by Lloyd's algorithm."""
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
