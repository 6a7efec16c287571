"""Losses: as their papers define them, with right gradients, and finite for extreme logits."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy as torch_cross_entropy
from torch.nn.functional import one_hot

from ptnl.training.losses import (
    LOSSES,
    cross_entropy,
    generalised_cross_entropy,
    mean_absolute_error,
    normalised_cross_entropy,
    reverse_cross_entropy,
)

SETTINGS = {"q": 0.7, "p_epsilon": 0.0, "alpha": 6.0, "beta": 0.1}
logits = torch.randn(7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
labels = torch.arange(7) % 5
p = logits.softmax(dim=-1)
p_label = p[torch.arange(7), labels]
ONE_HOT = one_hot(labels, 5)


def loss_of(name: str):
    return LOSSES[name](SETTINGS)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_equal_numerical_ones(name):
    loss = loss_of(name)
    assert torch.autograd.gradcheck(lambda x: loss(x, labels), logits.clone().requires_grad_())


@pytest.mark.parametrize("name", LOSSES)
def test_losses_have_one_value_per_sample_and_runs_do_not_mix(name):
    runs = torch.stack([logits, 2 * logits])
    both = loss_of(name)(runs, labels.expand(2, -1))
    assert both.shape == (2, 7)
    torch.testing.assert_close(both[1], loss_of(name)(2 * logits, labels))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_losses_are_finite_for_extreme_logits(name, label, dtype):
    """1,000 classes, logits of +-100; label 0 is certain, and label 1 impossible."""
    extreme = torch.full((1, 1000), -100.0, dtype=dtype)
    extreme[0, 0] = 100.0
    extreme.requires_grad_()
    loss = loss_of(name)(extreme, torch.tensor([label])).sum()
    loss.backward()
    assert torch.isfinite(loss)
    assert loss >= 0
    assert torch.isfinite(extreme.grad).all()


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("ce", -p_label.log()),
        ("gce", (1 - p_label**0.7) / 0.7),
        ("mae", (p - ONE_HOT).abs().sum(dim=-1) / 2),
        ("double_softmax", -(p.exp() / p.exp().sum(dim=-1, keepdim=True) * ONE_HOT).sum(-1).log()),
        # The authors' code clips the one-hot labels, and p.
        (
            "sce",
            6 * torch_cross_entropy(logits, labels, reduction="none")
            - 0.1 * (p.clamp(1e-7) * ONE_HOT.double().clamp(1e-4).log()).sum(dim=-1),
        ),
        (
            "nce_rce",
            6 * (ONE_HOT * p.log()).sum(dim=-1) / p.log().sum(dim=-1)
            - 0.1 * (p.clamp(1e-7) * ONE_HOT.double().clamp(1e-4).log()).sum(dim=-1),
        ),
    ],
)
def test_losses_follow_the_formulas_of_their_papers(name, formula):
    torch.testing.assert_close(loss_of(name)(logits, labels), formula)


def test_every_loss_has_its_formula_tested():
    (marks,) = test_losses_follow_the_formulas_of_their_papers.pytestmark
    assert {name for name, _ in marks.args[1]} == set(LOSSES)


def test_generalised_cross_entropy_is_ce_near_0_and_mae_at_1():
    near_ce = generalised_cross_entropy(logits, labels, 1e-9)
    torch.testing.assert_close(near_ce, cross_entropy(logits, labels), rtol=1e-6, atol=1e-6)
    mae = generalised_cross_entropy(logits, labels, 1.0)
    torch.testing.assert_close(mae, mean_absolute_error(logits, labels))


def test_generalised_cross_entropy_may_add_an_epsilon_to_p_as_the_released_code():
    far = torch.tensor([[40.0, 0.0, -30.0]], dtype=torch.float64)
    for label in range(3):
        given = far.clone().requires_grad_(), far.clone().requires_grad_()
        ours = LOSSES["gce"]({"q": 0.5, "p_epsilon": 1e-6})(given[0], torch.tensor([label]))
        p = given[1].softmax(dim=-1)[0, label] + 1e-6
        theirs = (1 - p**0.5) / 0.5
        torch.testing.assert_close(ours[0], theirs)
        for mine, peer in zip(
            torch.autograd.grad(ours.sum(), given[0]),
            torch.autograd.grad(theirs, given[1]),
            strict=True,
        ):
            torch.testing.assert_close(mine, peer)
    torch.testing.assert_close(
        loss_of("gce")(logits, labels), generalised_cross_entropy(logits, labels, 0.7)
    )


def test_normalised_cross_entropy_sums_to_1_over_labels():
    every = torch.stack([normalised_cross_entropy(logits, labels * 0 + k) for k in range(5)])
    torch.testing.assert_close(every.sum(dim=0), torch.ones(7, dtype=torch.float64))


def test_double_softmax_is_bounded():
    """It is lowest for a certain label, and highest for an impossible one."""
    certain = torch.full((2, 37), -100.0, dtype=torch.float64)
    certain[:, 0] = 100
    lowest, highest = loss_of("double_softmax")(certain, torch.tensor([0, 1]))
    assert lowest.item() == pytest.approx(math.log(1 + 36 / math.e))
    assert highest.item() == pytest.approx(math.log(math.e + 36))


def test_the_gradient_of_double_softmax_is_that_of_mae_for_many_classes():
    """It is J (softmax(p) - onehot), MAE's is J (-onehot), and softmax(p) <= e / (e + C - 1)."""
    many = 3 * torch.randn(5, 100, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    gradients = []
    for name in ("double_softmax", "mae"):
        leaf = many.clone().requires_grad_()
        loss_of(name)(leaf, torch.arange(5)).sum().backward()
        gradients.append(leaf.grad)
    share = math.e / (math.e + 99)
    assert (gradients[0] - gradients[1]).norm() < share * gradients[1].norm() + share


def test_reverse_cross_entropy_sums_to_a_constant_over_labels():
    """This makes it robust to symmetric noise."""
    every = torch.stack([reverse_cross_entropy(logits, labels * 0 + k) for k in range(5)])
    constant = torch.full((7,), 4 * math.log(1e4), dtype=torch.float64)
    torch.testing.assert_close(every.sum(dim=0), constant)
