"""Optimal transport between images and classes, compared with plain Sinkhorn iterations."""

import math

import pytest
import torch
from torch import Tensor

from ptnl.training.transport import sinkhorn


def brute_force(cost: Tensor, regularisation: float, iterations: int) -> Tensor:
    """Sinkhorn's iterations on logarithms for one run, (N, C) -> (N, C) (Peyré & Cuturi 2019)."""
    images, classes = cost.shape
    f, g = torch.zeros(images, 1).double(), torch.zeros(1, classes).double()
    for _ in range(iterations):
        g = -math.log(classes) - torch.logsumexp(
            f - cost.double() / regularisation, 0, keepdim=True
        )
        f = -math.log(images) - torch.logsumexp(g - cost.double() / regularisation, 1, keepdim=True)
    return (f + g - cost.double() / regularisation).exp()


def costs(runs: int, images: int = 40, classes: int = 6) -> Tensor:
    stream = torch.Generator().manual_seed(0)
    return -(3 * torch.randn(runs, images, classes, generator=stream)).softmax(dim=-1)


@pytest.mark.parametrize("regularisation", [0.05, 0.01])
def test_the_coupling_equals_that_of_plain_sinkhorn(regularisation):
    coupling = sinkhorn(costs(2), regularisation, max_iterations=5000, tolerance=1e-12)
    for run in range(2):
        expected = brute_force(costs(2)[run], regularisation, 5000)
        torch.testing.assert_close(coupling[run], expected, rtol=1e-6, atol=1e-9)


def test_the_marginals_of_the_coupling_are_uniform():
    coupling = sinkhorn(costs(3), 0.01, max_iterations=5000)
    images = torch.full((3, 40), 1 / 40).double()
    classes = torch.full((3, 6), 1 / 6).double()
    torch.testing.assert_close(coupling.sum(dim=2), images, rtol=0, atol=1e-6)
    torch.testing.assert_close(coupling.sum(dim=1), classes, rtol=0, atol=1e-6)


def test_a_cost_that_all_classes_of_an_image_share_does_not_matter():
    cost = costs(1).double()
    shifted = cost + torch.linspace(-3, 3, 40).double()[:, None]
    torch.testing.assert_close(sinkhorn(shifted, 0.01), sinkhorn(cost, 0.01))


@pytest.mark.parametrize("classes", [5, 37, 100])
def test_a_small_regularisation_does_not_underflow(classes):
    """With NLPrompt's cost and its script's 0.001, exp(-cost / 0.001) is 0 in float64."""
    stream = torch.Generator().manual_seed(1)
    logits = 20 * torch.randn(1, 4 * classes, classes, generator=stream)
    cost = -logits.double().softmax(dim=-1).log_softmax(dim=-1)
    assert (-cost / 0.001).exp().max() == 0
    coupling = sinkhorn(cost, 0.001)
    rows = torch.full((1, 4 * classes), 0.25 / classes).double()
    torch.testing.assert_close(coupling.sum(dim=2), rows)
    agrees = coupling.argmax(dim=-1) == logits.argmax(dim=-1)
    assert agrees.float().mean() > 0.5


def test_scalings_beyond_float64_are_computed_on_logarithms():
    """No image is near the third class, so the first scalings are as large as exp(500)."""
    cost = torch.zeros(2, 12, 3).double()
    cost[0, :, 2] = 500
    cost[1] = costs(1, 12, 3)[0]
    coupling = sinkhorn(cost, 1.0)
    torch.testing.assert_close(coupling[0], torch.full((12, 3), 1 / 36).double())
    torch.testing.assert_close(coupling[1], sinkhorn(cost[1:], 1.0)[0], rtol=0, atol=0)


def test_a_run_does_not_depend_on_its_neighbours():
    together = sinkhorn(costs(3), 0.02)
    for run in range(3):
        alone = sinkhorn(costs(3)[run : run + 1], 0.02)[0]
        torch.testing.assert_close(together[run], alone, rtol=1e-10, atol=1e-14)
