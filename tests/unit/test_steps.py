"""Training by recorded and replayed steps equals torch's SGD."""

import pytest
import torch

from ptnl.training.epochs import plain_step
from ptnl.training.losses import cross_entropy
from ptnl.training.steps import ReplayedSteps

RUNS, IMAGES, CLASSES, WIDTH = 2, 12, 3, 5


@pytest.fixture
def without_graphs(monkeypatch):
    """Compute every step anew instead of replaying a CUDA graph, which the CPU does not have."""
    monkeypatch.setattr("ptnl.training.steps.WARM_UP", 10**6)
    monkeypatch.setattr(ReplayedSteps, "_on_a_side_stream", ReplayedSteps._take)


def test_replayed_steps_equal_those_of_sgd(without_graphs):
    stream = torch.Generator().manual_seed(0)
    features = torch.randn(2, RUNS, IMAGES, WIDTH, generator=stream)  # of two epochs
    labels = torch.randint(CLASSES, (RUNS, IMAGES), generator=stream)
    start = torch.randn(RUNS, CLASSES, WIDTH, generator=stream)
    order = torch.stack([torch.randperm(IMAGES, generator=stream) for _ in range(2 * RUNS)])
    order = order.reshape(2, RUNS, 3, 4).transpose(1, 2)  # (epochs, steps, R, B)
    rates = (0.5, 0.1)

    ours = start.clone().requires_grad_()

    def step_of(images):
        return plain_step(images, labels, cross_entropy, lambda seen: seen @ ours.mT)

    replayed = ReplayedSteps(step_of, [ours], labels, labels, momentum=0.9, weight_decay=0.01)
    tallies = [
        replayed.epoch([step_of(images) for images in images_of], seen, rate)
        for images_of, seen, rate in zip(order, features, rates, strict=True)
    ]

    theirs = start.clone().requires_grad_()
    losses = torch.zeros(2, RUNS)
    optimiser = torch.optim.SGD([theirs], lr=0.5, momentum=0.9, weight_decay=0.01)
    for epoch in range(2):
        optimiser.param_groups[0]["lr"] = rates[epoch]
        for images in order[epoch]:
            rows = torch.arange(RUNS)[:, None]
            logits = features[epoch][rows, images] @ theirs.mT
            loss = cross_entropy(logits, labels[rows, images]).mean(dim=1)
            optimiser.zero_grad()
            loss.sum().backward()
            optimiser.step()
            losses[epoch] += loss.detach()
    torch.testing.assert_close(ours, theirs)
    for tally, expected in zip(tallies, losses, strict=True):
        torch.testing.assert_close(tally[0].float(), expected)
        assert tally[-1].tolist() == [3, 3]
