"""Gradients of wrong and of right labels."""

import pytest
import torch
import torch.nn.functional as F

from ptnl.training.gradients import gradient_norms
from ptnl.training.losses import cross_entropy

RUNS, SAMPLES, CLASSES, DIMENSIONS = 3, 12, 4, 5


@pytest.fixture
def problem() -> dict[str, torch.Tensor]:
    """Three linear classifiers with biases; the last run has no wrong label."""
    stream = torch.Generator().manual_seed(0)
    clean = torch.randint(CLASSES, (RUNS, SAMPLES), generator=stream)
    noisy = clean.clone()
    noisy[:2, :5] = (clean[:2, :5] + 1) % CLASSES
    return {
        "weights": torch.randn(RUNS, CLASSES, DIMENSIONS, generator=stream, dtype=torch.float64),
        "bias": torch.randn(RUNS, CLASSES, generator=stream, dtype=torch.float64),
        "features": torch.randn(RUNS, SAMPLES, DIMENSIONS, generator=stream, dtype=torch.float64),
        "labels": noisy,
        "labels_clean": clean,
    }


def test_norms_are_those_of_each_run_alone(problem):
    weights, bias = problem["weights"].requires_grad_(), problem["bias"].requires_grad_()
    norms = gradient_norms(
        [weights, bias],
        lambda features: features @ weights.mT + bias[:, None],
        problem["features"],
        problem["labels"],
        problem["labels_clean"],
        cross_entropy,
    )
    assert weights.grad is None
    assert bias.grad is None
    for run in range(RUNS):
        wrong = problem["labels"][run] != problem["labels_clean"][run]
        for kind, part in enumerate((wrong, ~wrong)):
            if not part.any():
                assert torch.isnan(norms[kind, run])
                continue
            own = [weights[run].detach().requires_grad_(), bias[run].detach().requires_grad_()]
            logits = problem["features"][run][part] @ own[0].T + own[1]
            F.cross_entropy(logits, problem["labels"][run][part], reduction="sum").backward()
            expected = torch.cat([leaf.grad.flatten() for leaf in own]).norm()
            torch.testing.assert_close(norms[kind, run].detach(), expected)
