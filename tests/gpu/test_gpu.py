"""A GPU gives the CPU's results, for towers and short trainings, and the same bytes twice."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch

from ptnl.backbones.loading import LoadedBackbone, tower_of
from ptnl.methods import METHODS
from ptnl.text import clip_tokenizer
from ptnl.training.tuning import SweepData, TunedRun
from tests.backbones import configuration, random_model
from tests.unit.test_methods import SETTINGS
from tests.unit.test_precision import NEARLY, difference, embeddings_and_gradient

CPU = torch.device("cpu")
FLOAT32 = 1e-4  # relative difference of norms; sums in another order differ by less
TRAINED = ("prompt_ce", "prompt_gce", "full_prompt", "cls_tuning", "text_finetune", "classifier_c")
NAMES = ["dog", "cat", "yorkshire terrier", "golden retriever", "bus", "tabby cat"]


def backbone_on(device: torch.device, dtype: torch.dtype = torch.float32) -> LoadedBackbone:
    """A small ViT-B/32 with random weights, whose text tower multiplies in `dtype`."""
    model = random_model({**configuration("ViT-B-32", small=True), "quick_gelu": True})
    backbone = LoadedBackbone("small", model.to(device), clip_tokenizer(), device)
    backbone.__dict__["tower"] = replace(tower_of(model), dtype=dtype)
    return backbone


def trained(
    name: str, device: torch.device, dtype: torch.dtype = torch.float32, runs: int = 2
) -> list[TunedRun]:
    """A short training of some runs on made-up features, half of whose labels are wrong."""
    backbone = backbone_on(device, dtype)
    dimensions, classes = backbone.tower.dimensions, len(NAMES)
    stream = torch.Generator().manual_seed(0)
    centres = 3 * torch.randn(classes, dimensions, generator=stream)
    clean = torch.arange(classes).repeat_interleave(8).expand(4, -1)[:runs]
    features = centres[clean] + torch.randn(4, 48, dimensions, generator=stream)[:runs]
    labels = torch.where(torch.arange(48) % 2 == 0, clean, (clean + 1) % classes)
    method = METHODS[name]
    settings = {**SETTINGS[method.module], "epochs": 6, "learning_rate": 0.01, "q": 0.7}
    sweep = SweepData(
        method=method,
        settings=settings,
        backbone=backbone,
        class_names=NAMES,
        template="a photo of a {}.",
        seeds=[1, 2, 3, 4][:runs],
        features=features.to(device),
        labels=labels.to(device),
        labels_clean=clean.to(device),
        test_features=centres.to(device),
    )
    return import_module(f"ptnl.methods.{method.module}").tune(sweep)


def weights(run: TunedRun) -> torch.Tensor:
    return torch.cat([weight.cpu().flatten() for weight in run.weights.values()])


@pytest.mark.parametrize("architecture", ["RN50", "ViT-B-32"])
def test_image_towers_agree_with_the_cpu(architecture, device):
    model = random_model({**configuration(architecture, small=False), "quick_gelu": True})
    images = torch.randn(4, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    exact = model.encode_image(images)
    found = model.to(device).encode_image(images.to(device)).cpu()
    assert difference(found, exact) < FLOAT32


def test_features_in_half_precision_are_nearly_exact(device):
    model = random_model({**configuration("ViT-B-32", small=False), "quick_gelu": True})
    images = torch.randn(4, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    exact = model.encode_image(images)
    rounded = LoadedBackbone("half", model.to(device), clip_tokenizer(), device, torch.float16)
    with torch.no_grad():
        assert difference(rounded.encode_image(images.to(device)).float().cpu(), exact) < NEARLY


@pytest.mark.parametrize("architecture", ["RN50", "ViT-B-32"])
def test_text_towers_and_their_gradients_agree_with_the_cpu(architecture, device):
    model = random_model({**configuration(architecture, small=False), "quick_gelu": True})
    expected = embeddings_and_gradient(tower_of(model))
    model = model.to(device)
    for ours, exact in zip(embeddings_and_gradient(tower_of(model), device), expected, strict=True):
        assert difference(ours.cpu(), exact) < FLOAT32
    rounded = replace(tower_of(model), dtype=torch.bfloat16)
    for ours, exact in zip(embeddings_and_gradient(rounded, device), expected, strict=True):
        assert difference(ours.cpu(), exact) < NEARLY


@pytest.mark.parametrize("name", TRAINED)
def test_a_short_training_agrees_with_the_cpu(name, device):
    for ours, expected in zip(trained(name, device), trained(name, CPU), strict=True):
        assert ours.history.loss.to_numpy() == pytest.approx(expected.history.loss, rel=1e-3)
        assert difference(weights(ours), weights(expected)) < 1e-3


@pytest.mark.parametrize("name", TRAINED)
def test_a_second_training_gives_the_same_bytes(name, device):
    for first, second in zip(trained(name, device), trained(name, device), strict=True):
        assert torch.equal(weights(first), weights(second))
        assert np.array_equal(first.test_logits.cpu(), second.test_logits.cpu())


@pytest.mark.parametrize("name", TRAINED)
def test_a_fused_run_agrees_with_the_run_alone(name, device):
    together, alone = trained(name, device, runs=4), trained(name, device, runs=1)
    assert difference(weights(together[0]), weights(alone[0])) < 1e-3


@pytest.mark.parametrize("name", ["prompt_ce", "prompt_gce", "text_finetune"])
def test_a_bfloat16_training_follows_a_float32_one(name, device):
    rounded, exact = trained(name, device, torch.bfloat16), trained(name, device)
    for ours, expected in zip(rounded, exact, strict=True):
        assert ours.history.loss.to_numpy() == pytest.approx(expected.history.loss, rel=0.1)
