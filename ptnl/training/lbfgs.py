"""L-BFGS for many independent problems of one shape at once.

`torch.optim.LBFGS` treats its parameters as one problem, so it would mix the steps of several runs.
Here every run has its own line search, its own curvature history and its own end, so its solution
is the same as alone; only the evaluations of the objective are shared.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from torch import Tensor

HISTORY = 10  # pairs of steps and gradient changes that approximate the Hessian
# Wolfe conditions: how much a step must gain, and how flat the slope must become.
SUFFICIENT_DECREASE, CURVATURE = 1e-4, 0.9
MAX_TRIALS = 40  # step lengths tried along a direction; shorter steps are lost in rounding

# Points (R, P) and each run's own data (R, ...) -> values (R).
Objective = Callable[..., Tensor]


@dataclass
class _State:
    """Where each of R runs is, and the step that it tries next."""

    run: Tensor  # (R), numbers of the runs that have not ended
    point: Tensor  # (R, P)
    value: Tensor  # (R)
    direction: Tensor  # (R, P)
    length: Tensor  # (R), the step length that is tried
    too_short: Tensor  # (R), the longest that was too short
    too_long: Tensor  # (R), the shortest that was too long
    trials: Tensor  # (R), how many lengths were tried along this direction
    iterations: Tensor  # (R), how many steps were accepted
    basis: Tensor  # (R, 2 H + 1, P): the last H steps, gradient changes over them, the gradient

    @property
    def gradient(self) -> Tensor:
        return self.basis[:, -1]

    def keep(self, which: Tensor) -> None:
        """Drop the other runs."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name)[which])


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(dim=-1)


def _evaluate(
    objective: Objective, point: Tensor, data: tuple[Tensor, ...]
) -> tuple[Tensor, Tensor]:
    """Values (R) and gradients (R, P); runs are independent, so the sum's gradient has each own."""
    point = point.detach().requires_grad_()
    value = objective(point, *data)
    (gradient,) = torch.autograd.grad(value.sum(), point)
    return value.detach(), gradient


def _start(objective: Objective, point: Tensor, data: tuple[Tensor, ...]) -> _State:
    runs, size = point.shape
    value, gradient = _evaluate(objective, point, data)
    basis = point.new_zeros(runs, 2 * HISTORY + 1, size)
    basis[:, -1] = gradient
    return _State(
        run=torch.arange(runs, device=point.device),
        point=point,
        value=value,
        direction=-gradient,
        length=torch.ones_like(value),
        too_short=torch.zeros_like(value),
        too_long=torch.full_like(value, torch.inf),
        trials=torch.zeros(runs, dtype=torch.int64, device=point.device),
        iterations=torch.zeros(runs, dtype=torch.int64, device=point.device),
        basis=basis,
    )


def _newton_direction(basis: Tensor, iterations: Tensor) -> Tensor:
    """Minus the inverse Hessian, as the history knows it, times the gradient (R, P).

    In the compact form of Byrd, Nocedal and Schnabel (1994, theorem 2.2): with steps S, changes Y,
    the upper triangle T of S'Y and its diagonal E, and scale r, the product with g is
    r g + S w - r Y u, where u = T^-1 S'g and w = T^-T ((E + r Y'Y) u - r Y'g).
    Pairs that do not exist yet are zero, and change nothing.
    """
    products = basis @ basis.mT
    ages = torch.arange(HISTORY, device=basis.device)
    step = (iterations[:, None] + ages) % HISTORY  # positions in the ring, the oldest first
    change = step + HISTORY

    def among(left: Tensor, right: Tensor) -> Tensor:
        rows = torch.arange(len(basis), device=basis.device)[:, None, None]
        return products[rows, left[:, :, None], right[:, None, :]]

    triangle, changes = among(step, change).triu(), among(change, change)
    curvature = triangle.diagonal(dim1=1, dim2=2)  # (R, H)
    with_gradient = products[:, -1, :, None]
    step_slope = with_gradient.gather(1, step[:, :, None])
    change_slope = with_gradient.gather(1, change[:, :, None])
    scale = (curvature[:, -1] / changes[:, -1, -1])[:, None, None]
    triangle = triangle + torch.diag_embed((curvature == 0).to(basis.dtype))
    u = torch.linalg.solve_triangular(triangle, step_slope, upper=True)
    mixed = curvature[:, :, None] * u + scale * (changes @ u - change_slope)
    w = torch.linalg.solve_triangular(triangle.mT, mixed, upper=False)
    mix = torch.zeros_like(with_gradient)
    mix.scatter_(1, step[:, :, None], -w).scatter_(1, change[:, :, None], scale * u)
    mix[:, -1:] = -scale
    return (mix.mT @ basis)[:, 0]


def _accept(state: _State, accepted: Tensor, value: Tensor, gradient: Tensor) -> None:
    """Take the steps of the accepted runs, remember them, and choose the next directions."""
    rows = torch.arange(len(state.point), device=state.point.device)
    slot = state.iterations % HISTORY
    here = accepted[:, None]
    step = state.length[:, None] * state.direction
    state.basis[rows, slot] = step.where(here, state.basis[rows, slot])
    state.basis[rows, HISTORY + slot] = (gradient - state.gradient).where(
        here, state.basis[rows, HISTORY + slot]
    )
    state.basis[:, -1] = gradient.where(here, state.gradient)
    state.iterations = state.iterations + accepted
    state.point = (state.point + step).where(here, state.point)
    state.value = value.where(accepted, state.value)
    newton = _newton_direction(state.basis, state.iterations)
    state.direction = newton.where(here, state.direction)
    state.length = state.length.masked_fill(accepted, 1)
    state.too_short = state.too_short.masked_fill(accepted, 0)
    state.too_long = state.too_long.masked_fill(accepted, torch.inf)
    state.trials = state.trials.masked_fill(accepted, 0)


def minimise(
    objective: Objective,
    start: Tensor,
    data: tuple[Tensor, ...],
    max_iterations: int,
    tolerance: float,
) -> tuple[Tensor, Tensor]:
    """Minimise R smooth functions of P numbers.

    The line search is Lewis and Overton's (2013, algorithm 2.6): it bisects, or doubles the length
    while no length was too long, until the weak Wolfe conditions hold. A run ends when no entry of
    its gradient exceeds `tolerance`, after `max_iterations`, or when no step gains anything in
    floating point; ended runs leave the batch.

    Parameters
    ----------
    objective : (points (R, P), *data) -> values (R); value r may depend only on row r
    start : (R, P), where the runs start, in the precision to compute in
    data : tensors (R, ...) that the objective needs

    Returns
    -------
    Points (R, P) and the iterations used (R)
    """
    solution, used = start.clone(), torch.zeros(len(start), dtype=torch.int64, device=start.device)
    state = _start(objective, start, data)
    while True:
        ended = (
            (state.gradient.abs().amax(dim=1) <= tolerance)
            | (state.iterations >= max_iterations)
            | (state.trials >= MAX_TRIALS)
        )
        if ended.any():
            solution[state.run[ended]] = state.point[ended]
            used[state.run[ended]] = state.iterations[ended]
            state.keep(~ended)
            data = tuple(part[~ended] for part in data)
        if not len(state.run):
            return solution, used
        value, gradient = _evaluate(
            objective, state.point + state.length[:, None] * state.direction, data
        )
        slope = _dot(state.gradient, state.direction)
        # If the value is not finite, the comparison is false, and the step counts as too long.
        decreases = value <= state.value + SUFFICIENT_DECREASE * state.length * slope
        flattens = _dot(gradient, state.direction) >= CURVATURE * slope
        accepted = decreases & flattens
        state.trials = state.trials + 1
        state.too_long = state.too_long.where(decreases, state.length)
        state.too_short = state.length.where(decreases, state.too_short)
        between = (state.too_short + state.too_long) / 2
        retry = between.where(state.too_long.isfinite(), 2 * state.length)
        state.length = state.length.where(accepted, retry)
        _accept(state, accepted, value, gradient)
