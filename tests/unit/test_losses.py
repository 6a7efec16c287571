import pytest
import torch

from ptnl.losses import LOSSES, cross_entropy, generalised_cross_entropy

logits = torch.randn(7, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
labels = torch.arange(7) % 5


@pytest.mark.parametrize("name", LOSSES)
def test_gradients(name):
    loss = LOSSES[name]({"q": 0.7})
    assert torch.autograd.gradcheck(lambda x: loss(x, labels), logits.clone().requires_grad_())


@pytest.mark.parametrize("name", LOSSES)
def test_finite_where_the_label_is_impossible(name):
    extreme = torch.tensor([[200.0, -200.0]]).requires_grad_()
    loss = LOSSES[name]({"q": 0.7})(extreme, torch.tensor([1])).sum()
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(extreme.grad).all()


def test_cross_entropy_is_torchs():
    expected = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    torch.testing.assert_close(cross_entropy(logits, labels), expected)


def test_generalised_cross_entropy_as_the_paper_writes_it():
    p = logits.softmax(dim=-1)[torch.arange(7), labels]
    expected = (1 - p**0.7) / 0.7
    torch.testing.assert_close(generalised_cross_entropy(logits, labels, 0.7), expected)


def test_generalised_cross_entropy_is_ce_near_0_and_mae_at_1():
    near_ce = generalised_cross_entropy(logits, labels, 1e-9)
    torch.testing.assert_close(near_ce, cross_entropy(logits, labels), rtol=1e-6, atol=1e-6)
    p = logits.softmax(dim=-1)
    absolute_error = (p - torch.nn.functional.one_hot(labels, 5)).abs().sum(dim=-1) / 2
    torch.testing.assert_close(generalised_cross_entropy(logits, labels, 1.0), absolute_error)
