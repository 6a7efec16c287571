"""L-BFGS for several runs at once: as good as SciPy's, and each run as if it were alone."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize, rosen

from ptnl.training.lbfgs import minimise


def rosenbrock(points: torch.Tensor) -> torch.Tensor:
    """Rosenbrock's function of points (R, P) -> (R)."""
    return (
        100 * (points[:, 1:] - points[:, :-1].square()).square() + (1 - points[:, :-1]).square()
    ).sum(dim=1)


def quadratics(runs: int, size: int, condition: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Curvatures (R, P, P) with this condition number, and optima (R, P)."""
    stream = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(runs, size, size, generator=stream).double()).Q
    spectrum = torch.logspace(0, -np.log10(condition), size, dtype=torch.float64)
    optimum = torch.randn(runs, size, generator=stream).double()
    return axes @ (spectrum[:, None] * axes.mT), optimum


def quadratic(points: torch.Tensor, curvature: torch.Tensor, optimum: torch.Tensor) -> torch.Tensor:
    away = points - optimum
    return 0.5 * torch.einsum("rp,rpq,rq->r", away, curvature, away)


def test_it_finds_the_minimum_of_rosenbrocks_function():
    start = torch.tensor([[-1.2, 1.0, -1.2, 1.0], [5.0, -3.0, 2.0, 2.0]], dtype=torch.float64)
    assert rosenbrock(start)[0].item() == pytest.approx(rosen(start[0].numpy()))
    found, iterations = minimise(rosenbrock, start, (), 500, 1e-8)
    torch.testing.assert_close(found, torch.ones_like(found), rtol=0, atol=1e-6)
    assert (iterations < 100).all()


def test_it_needs_hardly_more_iterations_than_scipy():
    data = quadratics(3, 30, 1e4)
    found, iterations = minimise(quadratic, torch.zeros_like(data[1]), data, 1000, 1e-9)
    torch.testing.assert_close(found, data[1], rtol=0, atol=1e-4)
    for run, (curvature, optimum) in enumerate(zip(*data, strict=True)):
        matrix, centre = curvature.numpy(), optimum.numpy()
        peer = minimize(
            lambda x, matrix=matrix, centre=centre: (
                0.5 * (x - centre) @ matrix @ (x - centre),
                matrix @ (x - centre),
            ),
            np.zeros(30),
            jac=True,
            method="L-BFGS-B",
            options={"maxcor": 10, "gtol": 1e-9, "ftol": 0},
        )
        assert iterations[run] < 1.2 * peer.nit


def test_a_run_does_not_depend_on_its_companions():
    """Easy and hard runs end at the same point as alone, after the same number of iterations."""
    easy, hard = quadratics(2, 30, 10.0), quadratics(2, 30, 1e4)
    data = tuple(torch.cat(parts) for parts in zip(easy, hard, strict=True))
    start = torch.zeros_like(data[1])
    together, iterations = minimise(quadratic, start, data, 1000, 1e-7)
    assert iterations[:2].max() < iterations[2:].min()
    for run in range(4):
        part = slice(run, run + 1)
        alone, used = minimise(
            quadratic, start[part], tuple(tensor[part] for tensor in data), 1000, 1e-7
        )
        assert used[0] == iterations[run]
        torch.testing.assert_close(alone[0], together[run], rtol=0, atol=1e-7)


def test_it_stops_after_the_most_iterations_and_at_the_optimum():
    data = quadratics(2, 30, 1e4)
    start = torch.zeros_like(data[1])
    _, iterations = minimise(quadratic, start, data, 7, 1e-9)
    assert iterations.tolist() == [7, 7]
    found, iterations = minimise(quadratic, data[1], data, 7, 1e-9)
    assert iterations.tolist() == [0, 0]
    assert torch.equal(found, data[1])


def test_a_step_to_where_the_function_is_undefined_is_shortened():
    """x - log x is undefined below 0, where the first step from 10 would lead."""
    found, _ = minimise(
        lambda x: (x - x.log()).sum(dim=1), torch.full((1, 2), 1e-3).double(), (), 100, 1e-8
    )
    torch.testing.assert_close(found, torch.ones_like(found), rtol=0, atol=1e-6)
    found, _ = minimise(
        lambda x: (30 * x - x.log()).sum(dim=1), torch.full((1, 2), 10.0).double(), (), 100, 1e-8
    )
    torch.testing.assert_close(found, torch.full_like(found, 1 / 30), rtol=0, atol=1e-6)


def test_it_ends_if_no_step_lowers_the_value():
    """The gradient points the wrong way, as rounding may make it at a minimum."""
    start = torch.tensor([[0.3, -0.7]], dtype=torch.float64)
    found, iterations = minimise(
        lambda x: (2 * x.detach().square() - x.square()).sum(dim=1), start, (), 1000, 1e-9
    )
    assert torch.equal(found, start)
    assert iterations.tolist() == [0]
