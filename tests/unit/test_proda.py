"""ProDA, compared with the explicit covariance, with sampling, and with a plain training."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ptnl.errors import InputError
from ptnl.methods import proda
from ptnl.text import PromptEncoder, context_prompts
from ptnl.training.epochs import batch_order
from ptnl.training.optim import learning_rates
from tests.unit.reference import CLASSES, SGD, noisy_toy, single, tune

SETTINGS = {**SGD, "context_length": 4, "prompts": 8, "prompts_together": 4, "alpha": 0.1}


def random_unit(*shape: int) -> torch.Tensor:
    stream = torch.Generator().manual_seed(sum(shape))
    return F.normalize(torch.randn(*shape, generator=stream).double(), dim=-1)


def test_the_spread_equals_that_of_the_explicit_covariance():
    images, classes = random_unit(2, 5, 6), random_unit(2, 4, 3, 6)
    labels = torch.tensor([[0, 1, 2, 0, 1], [2, 2, 1, 0, 0]])
    ours = proda.spread(images, classes, labels)
    for run in range(2):
        apart = classes[run] - classes[run].mean(dim=0)  # (P, C, D)
        covariance = torch.einsum("pid,pkd->dik", apart, apart) / 5
        for image in range(5):
            y = labels[run, image]
            for i in range(3):
                per_dimension = covariance[:, y, y] + covariance[:, i, i] - 2 * covariance[:, y, i]
                expected = (images[run, image].square() * per_dimension).sum()
                assert ours[run, image, i].item() == pytest.approx(expected.item(), abs=1e-12)
            assert ours[run, image, y].item() == pytest.approx(0, abs=1e-12)


def test_one_prompt_has_no_spread_and_is_prompt_tuning():
    images, classes = random_unit(1, 5, 6), random_unit(1, 1, 3, 6)
    labels = torch.tensor([[0, 1, 2, 0, 1]])
    logits = proda.bounded_logits(images, classes, labels, 10.0)
    torch.testing.assert_close(logits, 10 * images @ classes[:, 0].mT)


def test_the_loss_bounds_the_expected_cross_entropy():
    """The expectation is over class embeddings with the mean and covariance of the prompts'."""
    images, classes = random_unit(1, 5, 6), random_unit(1, 4, 3, 6)
    labels = torch.tensor([[0, 1, 2, 0, 1]])
    scale = 5.0
    bound = F.cross_entropy(
        proda.bounded_logits(images, classes, labels, scale)[0], labels[0], reduction="none"
    )
    apart = classes[0] - classes[0].mean(dim=0)
    stream = torch.Generator().manual_seed(0)
    # For normal factors e_p, sum_p e_p d_p / sqrt(P + 1) has the prompts' covariance. Each
    # dimension has its own factors.
    factors = torch.randn(20_000, 4, 1, 6, generator=stream, dtype=torch.float64)
    drawn = classes[0].mean(dim=0) + (factors * apart).sum(dim=1) / 5**0.5  # (S, C, D)
    logits = scale * torch.einsum("bd,scd->sbc", images[0], drawn)
    losses = F.cross_entropy(
        logits.flatten(0, 1), labels[0].repeat(20_000), reduction="none"
    ).unflatten(0, (-1, 5))
    assert (losses.mean(dim=0) < bound).all()


def test_likeness_is_the_mean_absolute_cosine_of_pairs():
    assert proda.mean_likeness(torch.eye(4)[None]).item() == 0
    assert proda.mean_likeness(torch.ones(1, 3, 4) / 2).item() == pytest.approx(1)
    opposite = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]])
    assert proda.mean_likeness(opposite).item() == pytest.approx(1)


def test_every_prompt_is_trained_once_per_round():
    order = proda.prompt_order(seed=3, prompts=32, together=4, steps=20)
    assert order.shape == (20, 4)
    for first in (0, 8):
        assert sorted(order[first : first + 8].ravel()) == list(range(32))
    assert not np.array_equal(order[:8], order[8:16])


def positions(sweep) -> list[PromptEncoder]:
    """An encoder per context: the name is in front in two, in the middle in two, else last."""
    return [
        PromptEncoder(
            sweep.backbone.tower,
            [p.tokens for p in context_prompts(sweep.backbone.tokenizer, CLASSES, 4, position)],
        )
        for position in ["front"] * 2 + ["middle"] * 2 + ["end"] * 4
    ]


def test_fused_runs_equal_the_plain_ones(tiny_backbone):
    sweep = noisy_toy("proda", tiny_backbone, **SETTINGS)
    for run, trained in enumerate(tune(sweep)):
        one = single(sweep, run)
        scale, seed = tiny_backbone.logit_scale, one.seeds[0]
        x, y = F.normalize(one.features[0], dim=-1), one.labels[0]
        encoders = positions(one)
        stop = tiny_backbone.tokenizer.encode(".")
        sot, eot = tiny_backbone.tokenizer.sot_token_id, tiny_backbone.tokenizer.eot_token_id
        nameless = PromptEncoder(tiny_backbone.tower, [[sot, -1, -2, -3, -4, *stop, eot]])
        start = proda.initial_normal("context", (8, 4, 32), 0.02, seed)
        contexts = [context.clone().requires_grad_() for context in start]
        optimiser = torch.optim.SGD(contexts, lr=1, momentum=0.9, weight_decay=5e-4)
        order = batch_order(seed, 24, 4, 4)
        chosen = proda.prompt_order(seed, 8, 4, 24)
        step = 0
        for epoch, rate in enumerate(learning_rates(4, 0.05, 1, 1e-3)):
            optimiser.param_groups[0]["lr"] = rate
            for batch in order[epoch]:
                classes = torch.stack(
                    [F.normalize(encoders[k](contexts[k][None])[0], dim=-1) for k in chosen[step]]
                )
                mean = classes.mean(dim=0)
                apart = classes - mean
                covariance = torch.einsum("pid,pkd->dik", apart, apart) / 5
                rows = []
                for image in batch:
                    own = y[image]
                    per_dimension = (
                        covariance[:, own, own, None]
                        + covariance.diagonal(dim1=1, dim2=2)
                        - 2 * covariance[:, own]
                    )  # (D, C)
                    sigma = x[image].square() @ per_dimension
                    rows.append(scale * mean @ x[image] + scale**2 / 2 * sigma)
                loss = F.cross_entropy(torch.stack(rows), y[batch])
                unit = F.normalize(nameless(torch.stack(contexts))[:, 0], dim=-1)
                cosine = (unit @ unit.T).abs()
                loss = loss + 0.1 * (cosine.sum() - cosine.trace()) / (8 * 7)
                optimiser.zero_grad()
                loss.backward()
                # A context that a step leaves out still decays and keeps its momentum.
                for context in contexts:
                    if context.grad is None:
                        context.grad = torch.zeros_like(context)
                optimiser.step()
                step += 1
        expected = torch.stack(contexts).detach()
        torch.testing.assert_close(trained.weights["contexts"], expected, rtol=1e-4, atol=1e-5)
        mean = torch.stack(
            [F.normalize(e(c[None])[0], dim=-1) for e, c in zip(encoders, contexts, strict=True)]
        ).mean(dim=0)
        assert (mean.norm(dim=-1) <= 1).all()
        test = scale * F.normalize(one.test_features, dim=-1) @ mean.T
        torch.testing.assert_close(trained.test_logits, test.detach(), rtol=1e-3, atol=1e-3)


def test_a_number_of_prompts_that_does_not_divide_is_refused(tiny_backbone):
    sweep = noisy_toy("proda", tiny_backbone, **SETTINGS)
    wrong = replace(sweep, settings={**SETTINGS, "prompts_together": 3})
    with pytest.raises(InputError, match="3 prompts_together do not divide 8"):
        tune(wrong)
