"""Caches, probes and robust classifiers on image features, compared with plain references."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ptnl.machine.random_streams import random_stream
from ptnl.methods.clap import multipliers
from ptnl.methods.classifier import initial_classifier
from ptnl.methods.co_teaching import STARTS, remembered
from ptnl.methods.zero_shot import class_embeddings
from ptnl.training.adamw import AdamW
from ptnl.training.epochs import batch_order
from ptnl.training.tuning import initial_normal
from tests.unit.reference import CLASSES, SGD, noisy_toy, rates_of, single, tune

CACHE = {"alpha": 1.0, "beta": 5.5}
CACHE_F = {**CACHE, "epochs": 3, "batch_size": 10, "learning_rate": 0.01}
TEACHING = {**SGD, "forget_rate": 0.5, "gradual_epochs": 3}
ELR = {**SGD, "target_momentum": 0.7, "regularisation": 3.0}


def text_of(sweep) -> torch.Tensor:
    return class_embeddings(sweep.backbone, CLASSES, sweep.template)


def cosine(features, weights, scale):
    return scale * F.normalize(features, dim=-1) @ F.normalize(weights, dim=-1).T


def optimiser_of(weights, settings):
    return torch.optim.SGD(
        [weights], lr=1, momentum=settings["momentum"], weight_decay=settings["weight_decay"]
    )


def test_adamw_equals_torchs():
    stream = torch.Generator().manual_seed(0)
    start = torch.randn(3, 5, generator=stream)
    ours, theirs = start.clone(), start.clone().requires_grad_()
    optimiser = AdamW(ours, epsilon=1e-4)
    expected = torch.optim.AdamW([theirs], lr=0.1, eps=1e-4)
    for rate in (0.1, 0.05, 0.02):
        gradient = torch.randn(3, 5, generator=stream)
        optimiser.step(gradient, rate)
        expected.param_groups[0]["lr"] = rate
        theirs.grad = gradient.clone()
        expected.step()
        torch.testing.assert_close(ours, theirs.detach())


def tip_logits(sweep, keys, features):
    images = F.normalize(features, dim=-1)
    values = F.one_hot(sweep.labels[0], 4).float()
    cached = torch.exp(-5.5 * (1 - images @ keys.T)) @ values
    return cosine(features, text_of(sweep), sweep.backbone.logit_scale) + cached


def test_tip_adapter_equals_its_formula(tiny_backbone):
    sweep = noisy_toy("tip_adapter", tiny_backbone, **CACHE)
    for run, trained in enumerate(tune(sweep)):
        one = single(sweep, run)
        keys = F.normalize(one.features[0], dim=-1)
        expected = tip_logits(one, keys, one.test_features)
        torch.testing.assert_close(trained.test_logits, expected, rtol=1e-5, atol=1e-5)
        assert len(trained.history) == 1


def test_tip_adapter_f_equals_a_plain_training(tiny_backbone):
    sweep = noisy_toy("tip_adapter_f", tiny_backbone, **CACHE_F)
    for run, trained in enumerate(tune(sweep)):
        one = single(sweep, run)
        keys = F.normalize(one.features[0], dim=-1).requires_grad_()
        optimiser = torch.optim.AdamW([keys], lr=0.01, eps=1e-4)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 3 * 3)
        stream = random_stream("batches", one.seeds[0])
        losses = []
        for _ in range(3):
            order, total = stream.permutation(24), 0.0
            for first in (0, 10, 20):
                batch = order[first : first + 10]
                logits = tip_logits(one, keys, one.features[0, batch])
                loss = F.cross_entropy(logits, one.labels[0, batch])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                total += loss.item() * len(batch)
            losses.append(total / 24)
        torch.testing.assert_close(trained.weights["keys"], keys.detach(), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(trained.history.loss, losses, rtol=1e-5)
        assert trained.history.epoch.tolist() == [1, 2, 3]


def test_lp_plus_plus_equals_a_plain_training(tiny_backbone):
    sweep = noisy_toy("lp_plus_plus", tiny_backbone, iterations=35)
    for run, trained in enumerate(tune(sweep)):
        one = single(sweep, run)
        x, y = F.normalize(one.features[0], dim=-1).double(), one.labels[0]
        text = F.normalize(text_of(one), dim=-1).double()
        weight = torch.stack([x[y == c].sum(dim=0) for c in range(4)]).requires_grad_()
        bias = torch.zeros(4, dtype=torch.float64, requires_grad=True)
        own = torch.stack([(x[y == c] @ text[c]).mean() for c in range(4)])
        blend = torch.full((4,), 250 * own.mean().item()).double().requires_grad_()
        rate = 4 * len(x) / torch.linalg.eigvalsh(x.T @ x)[-1]
        optimiser = torch.optim.SGD([weight, bias], lr=rate.item(), momentum=0.9)
        blend_rate = len(x) / (4 * (x @ text.T).square().sum(dim=0).max())
        for iteration in range(35):
            loss = F.cross_entropy(x @ weight.T + bias + blend * (x @ text.T), y)
            optimiser.zero_grad()
            blend.grad = None
            loss.backward()
            optimiser.step()
            if iteration % 10 == 9:
                blend.data -= blend_rate * blend.grad
        torch.testing.assert_close(
            trained.weights["weight"].double(), weight.detach(), rtol=1e-4, atol=1e-4
        )
        torch.testing.assert_close(
            trained.weights["blend"].double(), blend.detach(), rtol=1e-5, atol=1e-4
        )
        test = F.normalize(one.test_features, dim=-1).double()
        expected = test @ weight.T + bias + blend * (test @ text.T)
        torch.testing.assert_close(
            trained.test_logits.double(), expected.detach(), rtol=1e-4, atol=1e-3
        )


def test_clap_equals_a_plain_training(tiny_backbone):
    settings = {**SGD, "epochs": 6, "weight_decay": 0.0}
    sweep = noisy_toy("clap", tiny_backbone, **settings)
    scale = tiny_backbone.logit_scale
    for run, trained in enumerate(tune(sweep)):
        one = single(sweep, run)
        x, y, text = one.features[0], one.labels[0], text_of(one)
        p = cosine(x, text, scale).softmax(dim=-1)
        penalties = torch.stack([p[y == c, c].mean() for c in range(4)])
        weights = text.clone().requires_grad_()
        optimiser = optimiser_of(weights, settings)
        order = batch_order(one.seeds[0], 24, 4, 6)
        for epoch, rate in enumerate(rates_of(settings)):
            optimiser.param_groups[0]["lr"] = rate
            for batch in order[epoch]:
                loss = F.cross_entropy(cosine(x[batch], weights, scale), y[batch])
                loss = loss + (penalties * (weights - text).square().sum(dim=-1)).mean()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        torch.testing.assert_close(
            trained.weights["class_embeddings"], weights.detach(), rtol=1e-5, atol=1e-5
        )


def test_clap_weights_a_class_by_its_zero_shot_probability():
    logits = torch.tensor([[[9.0, 0.0], [9.0, 0.0], [9.0, 0.0]]])
    penalties = multipliers(logits, torch.tensor([[0, 0, 0]]))
    p = logits.softmax(dim=-1)[0, 0, 0].item()
    assert penalties.tolist() == [[pytest.approx(p), 0.0]]  # the second class has no image


def test_early_learning_equals_a_plain_training(tiny_backbone):
    sweep = noisy_toy("early_learning", tiny_backbone, **ELR)
    scale = tiny_backbone.logit_scale
    for run, trained in enumerate(tune(sweep)):
        one = single(sweep, run)
        x, y = one.features[0], one.labels[0]
        weights = initial_classifier(one)[0].clone().requires_grad_()
        optimiser = optimiser_of(weights, ELR)
        targets = torch.zeros(24, 4)
        order = batch_order(one.seeds[0], 24, 4, 4)
        for epoch, rate in enumerate(rates_of(ELR)):
            optimiser.param_groups[0]["lr"] = rate
            for batch in order[epoch]:
                logits = cosine(x[batch], weights, scale)
                p = torch.clamp(logits.softmax(dim=-1), 1e-4, 1 - 1e-4)
                now = p.detach() / p.detach().sum(dim=-1, keepdim=True)
                targets[batch] = 0.7 * targets[batch] + 0.3 * now
                regular = (1 - (targets[batch] * p).sum(dim=-1)).log().mean()
                loss = F.cross_entropy(logits, y[batch]) + 3.0 * regular
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        torch.testing.assert_close(
            trained.weights["class_embeddings"], weights.detach(), rtol=1e-5, atol=1e-5
        )


def test_co_teaching_equals_a_plain_training(tiny_backbone):
    sweep = noisy_toy("co_teaching", tiny_backbone, **TEACHING)
    scale = tiny_backbone.logit_scale
    for run, trained in enumerate(tune(sweep)):
        one = single(sweep, run)
        x, y, seed = one.features[0], one.labels[0], one.seeds[0]
        both = [
            F.normalize(
                initial_normal(purpose, (4, x.shape[1]), 1.0, seed), dim=-1
            ).requires_grad_()
            for purpose in STARTS
        ]
        optimisers = [optimiser_of(weights, TEACHING) for weights in both]
        order = batch_order(seed, 24, 4, 4)
        for epoch, rate in enumerate(rates_of(TEACHING)):
            count = [4, 3, 2, 2][epoch]
            for batch in order[epoch]:
                losses = [
                    F.cross_entropy(cosine(x[batch], weights, scale), y[batch], reduction="none")
                    for weights in both
                ]
                chosen = [loss.detach().argsort(stable=True)[:count] for loss in losses]
                for own, other in ((0, 1), (1, 0)):
                    optimisers[own].param_groups[0]["lr"] = rate
                    optimisers[own].zero_grad()
                    losses[own][chosen[other]].mean().backward()
                    optimisers[own].step()
        names = ("class_embeddings", "class_embeddings_second")
        for name, weights in zip(names, both, strict=True):
            torch.testing.assert_close(
                trained.weights[name], weights.detach(), rtol=1e-5, atol=1e-5
            )


def test_co_teaching_remembers_fewer_samples_every_epoch():
    counts = [remembered(epoch, 32, 0.5, 10) for epoch in range(12)]
    assert counts[0] == 32
    assert counts[9:] == [16, 16, 16]
    assert counts == sorted(counts, reverse=True)


def test_the_two_classifiers_of_co_teaching_differ(tiny_backbone):
    trained = tune(noisy_toy("co_teaching", tiny_backbone, **TEACHING))
    for run in trained:
        first, second = run.weights.values()
        assert not torch.allclose(first, second)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("tip_adapter", CACHE),
        ("tip_adapter_f", CACHE_F),
        ("lp_plus_plus", {"iterations": 20}),
        ("clap", SGD),
        ("early_learning", ELR),
        ("co_teaching", TEACHING),
    ],
)
def test_fused_runs_equal_single_ones(name, settings, tiny_backbone):
    sweep = noisy_toy(name, tiny_backbone, **settings)
    for run, together in enumerate(tune(sweep)):
        (alone,) = tune(single(sweep, run))
        torch.testing.assert_close(together.test_logits, alone.test_logits, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(together.history, alone.history, rtol=1e-3, atol=1e-4)
