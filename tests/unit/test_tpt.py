"""Test-time prompt tuning: views of an image, the choice among them, and one step per image."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from ptnl.analysis.tables import Origin
from ptnl.analysis.tpt_report import markdown, tpt_table
from ptnl.features.encode import ImageEncoder, prepared
from ptnl.features.tpt_views import OPERATIONS, augmix, encoded_test_views, views_of
from ptnl.methods.tpt import marginal_entropy, starting_tokens, tune_at_test
from ptnl.schemas import TPT
from ptnl.study.config import read_study
from ptnl.study.grid import sweeps, tpt_evaluations, tpt_starts
from ptnl.study.jobs import study_jobs
from ptnl.text import PromptEncoder, context_prompts
from ptnl.training.tuning import cosine_logits
from tests.unit.reference import CLASSES

SETTINGS = {"learning_rate": 0.005, "selected": 0.5}


def features() -> torch.Tensor:
    """Four views each of five images (T, V, D)."""
    return torch.randn(5, 4, 16, generator=torch.Generator().manual_seed(0))


def test_the_loss_is_the_entropy_of_the_mean_of_the_surest_views():
    logits = torch.randn(2, 10, 3, generator=torch.Generator().manual_seed(1))
    loss = marginal_entropy(logits, 0.3)
    for image in range(2):
        p = logits[image].softmax(dim=-1)
        entropies = [-(row * row.log()).sum().item() for row in p]
        surest = sorted(range(10), key=entropies.__getitem__)[:3]
        mean = p[surest].mean(dim=0)
        expected = -(mean * mean.log()).sum()
        torch.testing.assert_close(loss[image], expected)


def test_among_equally_sure_views_the_first_are_taken():
    sure = torch.tensor([[2.0, 0.0], [0.0, 2.0], [2.0, 0.0]])
    first_two = sure[:2].softmax(dim=-1).mean(dim=0)
    expected = -(first_two * first_two.log()).sum()
    torch.testing.assert_close(marginal_entropy(sure[None], 0.67)[0], expected)


def test_every_image_takes_one_step_of_torchs_adamw(tiny_backbone):
    start = starting_tokens(tiny_backbone)
    before, after = tune_at_test(tiny_backbone, CLASSES, start, features(), SETTINGS)
    prompts = context_prompts(tiny_backbone.tokenizer, CLASSES, len(start))
    encoder = PromptEncoder(tiny_backbone.tower, [prompt.tokens for prompt in prompts])
    scale = tiny_backbone.logit_scale
    for image, views in enumerate(features()):
        tokens = start.clone().requires_grad_()
        optimiser = torch.optim.AdamW([tokens], lr=0.005)
        p = cosine_logits(views, encoder(tokens[None])[0], scale).softmax(dim=-1)
        entropy = -(p * p.log()).sum(dim=-1)
        mean = p[entropy.detach().argsort()[:2]].mean(dim=0)
        loss = -(mean * mean.log()).sum()
        loss.backward()
        optimiser.step()
        expected = cosine_logits(views[:1], encoder(tokens[None])[0], scale)[0]
        torch.testing.assert_close(after[image], expected.detach(), rtol=1e-3, atol=1e-3)
        assert not torch.allclose(before[image], after[image], atol=1e-3)


def test_every_image_starts_from_the_same_prompt(tiny_backbone):
    start, views = starting_tokens(tiny_backbone), features()
    _, together = tune_at_test(tiny_backbone, CLASSES, start, views, SETTINGS)
    order = torch.tensor([3, 1, 4, 0, 2])
    _, shuffled = tune_at_test(tiny_backbone, CLASSES, start, views[order], SETTINGS)
    torch.testing.assert_close(shuffled, together[order], rtol=1e-3, atol=1e-3)


def test_a_learning_rate_of_zero_leaves_the_logits_unchanged(tiny_backbone):
    start = starting_tokens(tiny_backbone)
    settings = {**SETTINGS, "learning_rate": 0.0}
    before, after = tune_at_test(tiny_backbone, CLASSES, start, features(), settings)
    torch.testing.assert_close(after, before)


def picture(size: int = 40) -> torch.Tensor:
    stream = np.random.default_rng(0)
    return torch.from_numpy(stream.integers(0, 256, (3, size, size + 8), dtype=np.uint8))


def test_views_of_an_image_depend_only_on_its_name(tiny_backbone):
    encoder = ImageEncoder(tiny_backbone)
    views = views_of(picture(), "a.png", 5, True, encoder)
    size = tiny_backbone.image_size
    assert views.shape == (5, 3, size, size)
    assert views.dtype == torch.uint8
    assert torch.equal(views[0], prepared(picture(), size, tiny_backbone.preprocess))
    assert torch.equal(views, views_of(picture(), "a.png", 5, True, encoder))
    other = views_of(picture(), "b.png", 5, True, encoder)
    assert not torch.equal(views[1:], other[1:])


@pytest.mark.parametrize("number", range(len(OPERATIONS)))
def test_every_operation_keeps_the_shape(number):
    image = Image.fromarray(picture().permute(1, 2, 0).numpy())
    changed = OPERATIONS[number](image, 1.0, np.random.default_rng(0))
    assert changed.size == image.size
    assert changed.mode == "RGB"


def test_augmix_keeps_the_shape_and_leaves_black_black():
    for level in (0, 255):
        plain = Image.fromarray(np.full((16, 16, 3), level, dtype=np.uint8))
        mixed = augmix(plain, np.random.default_rng(1))
        assert mixed.shape == (16, 16, 3)
        assert mixed.dtype == np.uint8
        assert mixed.any() == (level > 0)


def test_the_views_of_files_are_encoded_in_order(tiny_backbone, tmp_path):
    for name in ("a.png", "b.png", "c.png"):
        stream = np.random.default_rng(ord(name[0]))
        pixels = stream.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    encoder = ImageEncoder(tiny_backbone)
    names = ["a.png", "b.png", "c.png"]
    whole = np.concatenate(list(encoded_test_views(encoder, names, tmp_path, 3, True)), axis=1)
    assert whole.shape == (3, 3, encoder.dimension)
    (alone,) = encoded_test_views(encoder, ["b.png"], tmp_path, 3, True)
    np.testing.assert_allclose(whole[:, 1], alone[:, 0], rtol=1e-2, atol=1e-2)


def test_a_study_evaluates_tpt_besides_its_runs(root):
    config = read_study(root, [root / "workflow/studies/later.yaml"], {})
    assert "tpt" not in {sweep.method for sweep in sweeps(config)}
    assert tpt_evaluations(config) == [("symbols", "mini-rn")]
    starts = tpt_starts(config, "symbols", "mini-rn")
    assert {run.method for run in starts} == {"prompt_ce"}
    assert {run.fp for run in starts} == {0, 4, 8, 12}
    rules = [job.rule for job in study_jobs(config)]
    for rule in ("encode_test_views", "evaluate_tpt", "report_tpt"):
        assert rules.count(rule) == 1


def test_the_report_says_what_the_step_adds():
    rows = [
        ("symbols", "mini-rn", "", "none", 0, 0, 0.0, 50.0, 51.0),
        ("symbols", "mini-rn", "prompt_ce", "symmetric", 8, 1, 50.0, 30.0, 33.0),
        ("symbols", "mini-rn", "prompt_ce", "symmetric", 8, 2, 50.0, 30.0, 31.0),
    ]
    table = tpt_table(pd.DataFrame(rows, columns=list(TPT)))
    assert table.gain.tolist() == [1.0, 2.0]
    assert math.isnan(table.gain_sd[0])
    text = markdown(table, Origin("toy", "paper", "mini-rn"))
    assert "a photo of a" in text
    assert "| +2.00 ± 1.41 |" in text
    assert "Random, 50 %" in text
