"""Training by SGD: learning rates, batches and steps as CoOp's and torch's, and the history."""

import numpy as np
import pytest
import torch

from ptnl.errors import InputError
from ptnl.training.epochs import batch_order
from ptnl.training.losses import cross_entropy
from ptnl.training.optim import learning_rates, train_sgd
from ptnl.training.tuning import cosine_logits

SETTINGS = {
    "epochs": 6,
    "batch_size": 8,
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "warmup_epochs": 1,
    "warmup_learning_rate": 1e-5,
}


def test_learning_rates_equal_coops():
    """The expected rates are those that CoOp and Dassl log for 50 epochs (CoOp issue 26)."""
    rates = learning_rates(50, 0.002, 1, 1e-5)
    assert len(rates) == 50
    golden = {1: 1e-5, 2: 2.0e-3, 3: 1.998027e-3, 4: 1.992115e-3, 50: 7.885e-6}
    for epoch, rate in golden.items():
        assert rates[epoch - 1] == pytest.approx(rate, rel=1e-4)


def test_an_epoch_is_a_permutation_without_an_incomplete_batch():
    order = batch_order(seed=3, samples=21, batch_size=8, epochs=4)
    assert order.shape == (4, 2, 8)
    for epoch in order.reshape(4, -1):
        assert len(np.unique(epoch)) == 16
    assert batch_order(3, 5, 8, 1).shape == (1, 1, 5)


def problem(runs: int) -> dict:
    stream = torch.Generator().manual_seed(0)
    features = torch.randn(runs, 24, 10, generator=stream)
    labels = torch.randint(0, 3, (runs, 24), generator=stream)
    return {"features": features, "labels": labels, "labels_clean": (labels + (labels == 2)) % 3}


def train(parameters: torch.Tensor, data: dict, seeds: list[int], settings: dict = SETTINGS):
    return train_sgd(
        parameters,
        lambda weights, features: cosine_logits(features, weights, 10.0),
        features_at=lambda epoch: data["features"],
        labels=data["labels"],
        labels_clean=data["labels_clean"],
        seeds=seeds,
        loss=cross_entropy,
        settings=settings,
    )


def test_runs_side_by_side_equal_the_runs_alone():
    data, seeds = problem(3), [1, 2, 1]
    start = torch.randn(3, 3, 10, generator=torch.Generator().manual_seed(1))
    together = start.clone().requires_grad_()
    histories = train(together, data, seeds)
    for run in range(3):
        alone = start[run : run + 1].clone().requires_grad_()
        part = {name: value[run : run + 1] for name, value in data.items()}
        (history,) = train(alone, part, seeds[run : run + 1])
        torch.testing.assert_close(alone[0], together[run], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(history, histories[run], rtol=1e-3, equal_nan=True)


def test_training_equals_torchs_sgd_on_the_same_batches():
    data = problem(1)
    start = torch.randn(1, 3, 10, generator=torch.Generator().manual_seed(1))
    ours = start.clone().requires_grad_()
    train(ours, data, [5])
    plain = start[0].clone().requires_grad_()
    optimiser = torch.optim.SGD([plain], lr=0.1, momentum=0.9, weight_decay=5e-4)
    order = batch_order(5, 24, 8, 6)
    for rate, epoch in zip(learning_rates(6, 0.1, 1, 1e-5), order, strict=True):
        optimiser.param_groups[0]["lr"] = rate
        for batch in epoch:
            logits = cosine_logits(data["features"][0, batch], plain, 10.0)
            loss = torch.nn.functional.cross_entropy(logits, data["labels"][0, batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    torch.testing.assert_close(ours[0], plain, rtol=1e-5, atol=1e-6)


def test_every_epoch_trains_on_its_own_features():
    data, asked = problem(1), []
    views = torch.randn(6, 1, 24, 10, generator=torch.Generator().manual_seed(2))

    def features_at(epoch: int) -> torch.Tensor:
        asked.append(epoch)
        return views[epoch]

    parameters = torch.zeros(1, 3, 10, requires_grad=True)
    train_sgd(
        parameters,
        lambda weights, features: features @ weights.transpose(-1, -2),
        features_at,
        data["labels"],
        data["labels_clean"],
        [5],
        cross_entropy,
        SETTINGS,
    )
    assert asked == list(range(6))
    plain = torch.zeros(3, 10, requires_grad=True)
    optimiser = torch.optim.SGD([plain], lr=0.1, momentum=0.9, weight_decay=5e-4)
    order = batch_order(5, 24, 8, 6)
    for epoch, rate in enumerate(learning_rates(6, 0.1, 1, 1e-5)):
        optimiser.param_groups[0]["lr"] = rate
        for batch in order[epoch]:
            logits = views[epoch, 0, batch] @ plain.T
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(logits, data["labels"][0, batch]).backward()
            optimiser.step()
    torch.testing.assert_close(parameters[0], plain, rtol=1e-5, atol=1e-6)


def test_the_history_separates_right_from_wrong_labels():
    parameters = torch.randn(1, 3, 10, generator=torch.Generator().manual_seed(1))
    settings = {**SETTINGS, "epochs": 60, "learning_rate": 0.5, "batch_size": 24}
    (history,) = train(parameters.requires_grad_(), problem(1), [1], settings)
    last = history.iloc[-1]
    assert list(history.epoch) == list(range(1, 61))
    assert last.loss < history.loss.iloc[0]
    assert last.accuracy_noisy > 50  # wrong labels are memorised
    assert last.accuracy_true < 100


def test_a_loss_that_is_not_finite_stops_the_sweep():
    data = problem(1)
    data["features"][0, 3] = float("nan")
    with pytest.raises(InputError, match="no longer finite in epoch 1"):
        train(torch.ones(1, 3, 10, requires_grad=True), data, [1])
