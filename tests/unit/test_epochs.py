"""Epochs that a method plans: which images, in which steps, with which loss, for which runs."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ptnl.training.epochs import (
    Epoch,
    Step,
    batch_order,
    permutations,
    side_by_side,
    whole_batches,
)
from ptnl.training.losses import cross_entropy, mean_absolute_error
from ptnl.training.optim import learning_rates, train_sgd

SETTINGS = {
    "epochs": 5,
    "batch_size": 4,
    "learning_rate": 0.1,
    "momentum": 0.9,
    "weight_decay": 0.1,
    "warmup_epochs": 1,
    "warmup_learning_rate": 0.01,
}
RUNS, IMAGES, CLASSES, SIZE = 3, 12, 3, 5


def problem() -> tuple[Tensor, Tensor, Tensor]:
    """Features (R, N, D), labels (R, N), starting weights (R, C, D)."""
    stream = torch.Generator().manual_seed(0)
    features = torch.randn(RUNS, IMAGES, SIZE, generator=stream)
    labels = torch.randint(0, CLASSES, (RUNS, IMAGES), generator=stream)
    return features, labels, torch.randn(RUNS, CLASSES, SIZE, generator=stream)


def train(plan_of, runs: list[int] | None = None):
    features, labels, start = problem()
    runs = list(range(RUNS)) if runs is None else runs
    weights = start[runs].clone().requires_grad_()
    histories = train_sgd(
        weights,
        lambda weights, x: x @ weights.mT,
        features_at=lambda epoch: features[runs],
        labels=labels[runs],
        labels_clean=labels[runs],
        seeds=runs,
        loss=cross_entropy,
        settings=SETTINGS,
        plan_of=plan_of,
    )
    return weights.detach(), histories


def test_parts_are_cut_into_whole_batches_side_by_side():
    assert whole_batches(np.arange(7), 3).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert whole_batches(np.arange(2), 3).shape == (0, 3)
    images, moves = side_by_side([np.ones((2, 3), int), np.ones((0, 3), int)], 3)
    assert images.shape == (2, 2, 3)
    assert moves.tolist() == [[True, False], [True, False]]


def test_batches_follow_the_permutations():
    order = permutations(7, 10, 2)
    assert sorted(order[0]) == list(range(10))
    np.testing.assert_array_equal(batch_order(7, 10, 4, 2).reshape(2, 8), order[:, :8])


def test_every_run_takes_only_its_own_steps():
    """Runs differ in their steps and losses; each equals torch.optim.SGD on its steps alone."""
    features, labels, start = problem()
    # For each run and epoch, the batches, and whether their loss is MAE.
    taken = [
        [[([0, 1], False), ([2, 3], True)] for _ in range(5)],
        [[([4, 5], True)] if epoch % 2 else [] for epoch in range(5)],  # epochs without a step
        [[([6, 7], False)] * 3 for _ in range(5)],
    ]

    def plan_of(score):
        def plan(epoch: int) -> Epoch:
            steps = []
            for at in range(3):
                images = torch.zeros(RUNS, 2, dtype=torch.int64)
                robust, moves = torch.zeros(RUNS, dtype=bool), torch.zeros(RUNS, dtype=bool)
                for run in range(RUNS):
                    if at < len(taken[run][epoch]):
                        batch, robust[run] = taken[run][epoch][at]
                        images[run], moves[run] = torch.tensor(batch), True

                def evaluate(x, images=images, robust=robust):
                    logits, seen = score(x), labels.gather(1, images)
                    losses = torch.where(
                        robust[:, None],
                        mean_absolute_error(logits, seen),
                        cross_entropy(logits, seen),
                    )
                    return losses.mean(dim=1), logits

                steps.append(Step(images, evaluate, moves))
            return Epoch(steps)

        return plan

    weights, histories = train(plan_of)
    rates = learning_rates(5, 0.1, 1, 0.01)
    for run in range(RUNS):
        plain = start[run].clone().requires_grad_()
        optimiser = torch.optim.SGD([plain], lr=0.1, momentum=0.9, weight_decay=0.1)
        for epoch, rate in enumerate(rates):
            optimiser.param_groups[0]["lr"] = rate
            losses = []
            for batch, is_robust in taken[run][epoch]:
                logits = features[run, batch] @ plain.T
                loss = mean_absolute_error if is_robust else cross_entropy
                value = loss(logits, labels[run, batch]).mean()
                optimiser.zero_grad()
                value.backward()
                optimiser.step()
                losses.append(value.item())
            expected = np.mean(losses) if losses else np.nan
            assert histories[run].loss[epoch] == pytest.approx(expected, rel=1e-5, nan_ok=True)
        torch.testing.assert_close(weights[run], plain.detach(), rtol=1e-5, atol=1e-6)


def test_a_run_without_steps_keeps_every_bit():
    def plan_of(score):
        def plan(epoch: int) -> Epoch:
            images = torch.zeros(RUNS, 2, dtype=torch.int64)

            def evaluate(x):
                logits = score(x)
                return logits.square().mean(dim=(1, 2)), logits

            return Epoch([Step(images, evaluate, torch.tensor([True, False, True]))])

        return plan

    weights, _ = train(plan_of)
    _, _, start = problem()
    assert torch.equal(weights[1], start[1])
    assert not torch.equal(weights[0], start[0])


@pytest.mark.parametrize(
    ("rewritten", "precision", "recall"),
    [
        ([], 75, 50),
        ([1], 100, pytest.approx(100 * 4 / 7)),  # the wrong label among the taken is corrected
        ([1, 2], 75, 50),  # and a right label is made wrong
    ],
)
def test_the_history_says_how_good_a_split_is(rewritten, precision, recall):
    stream = torch.Generator().manual_seed(0)
    clean = torch.zeros(1, 8, dtype=torch.int64)
    seen = clean.clone()
    seen[0, :2] = 1  # two of eight labels are wrong
    taken = torch.zeros(1, 8, dtype=bool)
    taken[0, 1:5] = True  # one wrong label, three right ones
    labels = seen.clone()
    labels[0, rewritten] = 1 - labels[0, rewritten]

    def plan_of(score):
        def evaluate(x):
            logits = score(x)
            return cross_entropy(logits, seen).mean(dim=1), logits

        judged = labels if rewritten else None
        return lambda epoch: Epoch([Step(torch.arange(8)[None], evaluate)], taken, judged)

    (history,) = train_sgd(
        torch.zeros(1, 2, 3, requires_grad=True),
        lambda weights, x: x @ weights.mT,
        lambda epoch: torch.randn(1, 8, 3, generator=stream),
        seen,
        clean,
        [0],
        cross_entropy,
        SETTINGS,
        plan_of=plan_of,
    )
    row = history.iloc[-1]
    assert (row.taken_as_clean, row.split_precision, row.split_recall) == (50, precision, recall)
