"""The linear probe: multinomial logistic regression on CLIP's image features, by L-BFGS.

As in CoOp's linear probe the features are the image embeddings as they come, not normalised. With
the cross-entropy it is scikit-learn's `LogisticRegression`; with the GCE the same penalty and
solver, started from zero weights as well.
"""

import pandas as pd
import torch
from torch import Tensor

from ptnl.errors import InputError
from ptnl.losses import LOSSES, Loss
from ptnl.schemas import HISTORY
from ptnl.tuning import Sweep, TunedRun

GRADIENT_TOLERANCE = 1e-6  # largest entry of the mean loss's gradient at which it has converged


def fit(
    features: Tensor, labels: Tensor, classes: int, loss: Loss, c: float, max_iterations: int
) -> tuple[Tensor, Tensor, int, float, float]:
    """Minimise c sum(loss) + |W|^2 / 2 over weights W (C, D) and biases b (C), in float64.

    Returns W, b, the iterations used, the mean loss and the norm of its gradient at the end.
    """
    x = features.double()
    weights = torch.zeros(classes, x.shape[1] + 1, dtype=torch.float64, device=x.device)
    weights.requires_grad_()
    solver = torch.optim.LBFGS(
        [weights],
        max_iter=max_iterations,
        tolerance_grad=GRADIENT_TOLERANCE,
        tolerance_change=0.0,
        history_size=10,
        line_search_fn="strong_wolfe",
    )

    def mean_loss() -> Tensor:
        return loss(x @ weights[:, :-1].T + weights[:, -1], labels).mean()

    def objective() -> Tensor:
        solver.zero_grad()
        penalty = weights[:, :-1].square().sum() / (2 * c * len(x))
        value = mean_loss() + penalty
        value.backward()
        return value

    solver.step(objective)
    iterations = solver.state[weights]["n_iter"]
    final = mean_loss()
    (gradient,) = torch.autograd.grad(final, weights)
    weights = weights.detach()
    return weights[:, :-1], weights[:, -1], iterations, final.item(), gradient.norm().item()


def tune(sweep: Sweep) -> list[TunedRun]:
    """Fit one classifier a run. Its history is one row: the solution, `epoch` its iterations."""
    loss = LOSSES[sweep.method.loss](sweep.settings)
    tuned = []
    for features, seen, true in zip(sweep.features, sweep.labels, sweep.labels_clean, strict=True):
        weights, bias, iterations, final, gradient = fit(
            features,
            seen,
            len(sweep.class_names),
            loss,
            sweep.settings["c"],
            sweep.settings["max_iterations"],
        )
        if not torch.isfinite(weights).all():
            raise InputError("the linear probe diverged; lower its c")
        guess = (features.double() @ weights.T + bias).argmax(dim=1)
        clean = seen == true
        row = (
            iterations,
            0.0,
            final,
            *(100 * hit.double().mean().item() for hit in (guess == true, (guess == seen)[clean])),
            100 * (guess == seen)[~clean].double().mean().item(),
            gradient,
        )
        tuned.append(
            TunedRun(
                {"weight": weights.float(), "bias": bias.float()},
                pd.DataFrame([row], columns=list(HISTORY)),
                (sweep.test_features.double() @ weights.T + bias).float(),
            )
        )
    return tuned
