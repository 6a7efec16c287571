"""JoAPR, compared with a plain reference that trains one run, one batch at a time."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import brentq
from scipy.stats import norm

from ptnl.methods import joapr
from ptnl.training.epochs import permutations
from ptnl.training.mixture import Mixture, fit_mixture
from tests.unit.reference import PROMPT, PlainPrompt, noisy_toy, single, tune

SETTINGS = {**PROMPT, "split_after": 1, "alpha1": 0.5, "alpha2": 1.0, "sharpening": 2.0}


def reference(sweep) -> PlainPrompt:
    plain = PlainPrompt(sweep)
    settings = sweep.settings
    features, labels = sweep.features[0], sweep.labels[0]
    samples, size, classes = len(labels), settings["batch_size"], 4
    order = permutations(sweep.seeds[0], samples, settings["epochs"])
    seen_losses, threshold = [], None
    for epoch in plain.epochs():
        if epoch < settings["split_after"]:
            for first in range(0, samples - size + 1, size):
                batch = order[epoch][first : first + size]
                p = plain.logits(features[batch]).softmax(dim=-1)
                ce = -p[range(size), labels[batch]].log()
                plain.step((ce + settings["alpha1"] * (p * p.log()).sum(dim=-1)).mean())
            continue
        p = plain.logits(features).detach().double().softmax(dim=-1)
        of_label = p[range(samples), labels]
        losses = -of_label.log() - (p * p.log()).sum(dim=-1)
        seen_losses.append((losses - losses.min()) / (losses.max() - losses.min()))
        mean = torch.stack(seen_losses[-5:]).mean(dim=0)
        mixture = fit_mixture(mean[None])  # `test_mixture.py` tests it
        posterior = mixture.posterior(mean[None])[0]
        rate = 1 - (posterior > (0.5 if threshold is None else threshold)).double().mean()
        clean = (mean < joapr.crossing(mixture)) | (posterior > rate)
        weight = posterior if threshold is None else posterior * of_label
        threshold = rate
        parts = [[i for i in order[epoch] if clean[i] == wanted] for wanted in (True, False)]
        batches = [
            [part[first : first + size] for first in range(0, len(part) - size + 1, size)]
            if len(part) >= size
            else [part] * bool(part)
            for part in parts
        ]
        for at in range(max(map(len, batches))):
            images, targets = [], []
            for part, is_clean in zip(batches, (True, False), strict=True):
                for image in part[at % len(part)] if part else []:
                    images.append(image)
                    own = plain.logits(features[image][None])[0].detach().softmax(dim=-1)
                    w = weight[image].float() if is_clean else 0.0
                    refined = w * F.one_hot(labels[image], classes) + (1 - w) * own
                    targets.append(refined**2 / (refined**2).sum())
            log_p = plain.logits(features[images]).log_softmax(dim=-1)
            mean_p = log_p.exp().mean(dim=0)
            prior = (0.25 * (0.25 / mean_p).log()).sum()
            soft = -(torch.stack(targets) * log_p).sum(dim=-1).mean()
            plain.step(soft + settings["alpha2"] * prior)
    return plain


def test_fused_runs_equal_the_plain_ones(tiny_backbone):
    sweep = noisy_toy("joapr", tiny_backbone, **SETTINGS | {"epochs": 8})
    for run, trained in enumerate(tune(sweep)):
        plain = reference(single(sweep, run))
        context = trained.weights["context"]
        torch.testing.assert_close(context, plain.context.detach(), rtol=1e-5, atol=1e-5)
        losses = [np.mean(epoch) for epoch in plain.losses]
        np.testing.assert_allclose(trained.history.loss, losses, rtol=1e-4, atol=1e-5)
        assert trained.history.taken_as_clean.isna().tolist() == [True] + [False] * 7


def test_the_threshold_is_where_one_density_is_twice_the_other():
    mixture = Mixture(
        torch.tensor([[0.2, 0.7]]).double(),
        torch.tensor([[0.01, 0.04]]).double(),
        torch.tensor([[0.5, 0.5]]).double(),
    )

    def difference(x: float) -> float:
        return norm.pdf(x, 0.2, 0.1) - 2 * norm.pdf(x, 0.7, 0.2)

    root = brentq(difference, 0.2, 0.7)
    assert joapr.crossing(mixture).item() == pytest.approx(root)


def test_if_no_density_is_twice_the_other_the_threshold_selects_nothing():
    mixture = Mixture(
        torch.tensor([[0.5, 0.5]]).double(),
        torch.tensor([[0.04, 0.01]]).double(),
        torch.tensor([[0.5, 0.5]]).double(),
    )
    assert not torch.tensor([0.4]) < joapr.crossing(mixture)  # NaN, or below every loss


def test_sharpened_labels_are_probabilities_with_the_same_largest():
    p = torch.randn(5, 7, generator=torch.Generator().manual_seed(0)).softmax(dim=-1)
    sharp = joapr.sharpen(p, 2.0)
    torch.testing.assert_close(sharp.sum(dim=-1), torch.ones(5))
    assert torch.equal(sharp.argmax(dim=-1), p.argmax(dim=-1))
    assert (sharp.amax(dim=-1) > p.amax(dim=-1)).all()
    hard = F.one_hot(torch.tensor([3]), 7).float()
    assert torch.equal(joapr.sharpen(hard, 2.0), hard)


def test_losses_are_averaged_over_five_epochs():
    splitter = joapr.Splitter(4)
    stream = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 4, (1, 20), generator=stream)
    logits = [torch.randn(1, 20, 4, generator=stream) for _ in range(7)]
    for epoch in logits:
        splitter.split(epoch, labels)
    late = joapr.Splitter(4)
    for epoch in logits[2:]:
        late.split(epoch, labels)
    torch.testing.assert_close(torch.stack(splitter._losses), torch.stack(late._losses))


def test_a_short_part_is_padded_and_an_empty_one_has_no_batches():
    short = joapr._cycle(np.arange(3), 5)
    assert short.tolist() == [[0, 1, 2, -1, -1]]
    assert joapr._cycle(np.arange(0), 5).shape == (0, 5)
    assert joapr._cycle(np.arange(11), 5).shape == (2, 5)


def test_if_all_labels_are_trusted_joapr_is_prompt_tuning(tiny_backbone, monkeypatch):
    sweep = noisy_toy("joapr", tiny_backbone, **SETTINGS | {"alpha2": 0.0, "split_after": 0})

    def all_clean(self, logits, labels):
        return joapr.Split(torch.ones_like(labels, dtype=bool), torch.ones(labels.shape))

    monkeypatch.setattr(joapr.Splitter, "split", all_clean)
    plain = tune(noisy_toy("prompt_ce", tiny_backbone, **PROMPT))
    for ours, theirs in zip(tune(sweep), plain, strict=True):
        torch.testing.assert_close(ours.weights["context"], theirs.weights["context"])
