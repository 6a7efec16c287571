"""A GPU gives the CPU's results, for towers and short trainings, and the same bytes twice."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch

from ptnl.backbones.image_encoders import ImageEncoder, build
from ptnl.backbones.loading import LoadedBackbone, tower_of
from ptnl.methods import METHODS, finetune
from ptnl.text import clip_tokenizer
from ptnl.training.losses import cross_entropy
from ptnl.training.tuning import SweepData, TunedRun
from tests.backbones import configuration, random_model
from tests.unit.test_finetune import SETTINGS as FINE_TUNING
from tests.unit.test_finetune import TINY, draw, pictures
from tests.unit.test_methods import LOSS, SETTINGS
from tests.unit.test_methods import TRAINED as ALL_TRAINED
from tests.unit.test_precision import (
    NEARLY,
    difference,
    embeddings_and_gradient,
    norms_of_single_images,
)

CPU = torch.device("cpu")
FLOAT32 = 1e-4  # relative difference of norms; sums in another order differ by less
TRAINED = [*{METHODS[name].module: name for name in reversed(ALL_TRAINED)}.values(), "prompt_gce"]
NAMES = ["dog", "cat", "yorkshire terrier", "golden retriever", "bus", "tabby cat"]


def backbone_on(device: torch.device, dtype: torch.dtype = torch.float32) -> LoadedBackbone:
    """A small ViT-B/32 with random weights, whose text tower multiplies in `dtype`."""
    model = random_model({**configuration("ViT-B-32", small=True), "quick_gelu": True})
    backbone = LoadedBackbone("small", model.to(device), clip_tokenizer(), device)
    backbone.__dict__["tower"] = replace(tower_of(model), dtype=dtype)
    return backbone


def trained(
    name: str,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    runs: int = 2,
    epochs: int = 6,
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
    settings = {**LOSS, **SETTINGS[method.module]}
    if "epochs" in settings:  # it is trained by SGD
        settings |= {"epochs": epochs, "learning_rate": 0.01}
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


def fine_tuned(device: torch.device) -> TunedRun:
    """A short fine-tuning of a small ResNet with random weights."""
    torch.manual_seed(0)
    model = build(TINY, classes=4).to(device)
    half = torch.full((3, 1, 1), 0.5, device=device)
    encoder = ImageEncoder(model, 32, lambda image: image, half, torch.ones_like(half))
    # At ten times the rate, rounding decides which side of zero an activation is on.
    settings = {**FINE_TUNING, "learning_rate": 0.01}
    (run,) = finetune.tune(encoder, [draw(1, wrong=4)], [pictures(9)], cross_entropy, settings)
    return run


def test_fine_tuning_agrees_with_the_cpu_and_repeats_its_bytes(device):
    ours, again, expected = fine_tuned(device), fine_tuned(device), fine_tuned(CPU)
    assert ours.history.loss.to_numpy() == pytest.approx(expected.history.loss, rel=1e-2)
    assert difference(weights(ours), weights(expected)) < 1e-2
    assert torch.equal(weights(ours), weights(again))


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


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, torch.float32) for name in TRAINED]
    + [(name, torch.bfloat16) for name in ("prompt_ce", "text_finetune")],
)
def test_a_second_training_gives_the_same_bytes(name, dtype, device):
    pairs = zip(trained(name, device, dtype), trained(name, device, dtype), strict=True)
    for first, second in pairs:
        assert torch.equal(weights(first), weights(second))
        assert np.array_equal(first.test_logits.cpu(), second.test_logits.cpu())


@pytest.mark.parametrize("name", TRAINED)
def test_a_fused_run_agrees_with_the_run_alone(name, device):
    together, alone = trained(name, device, runs=4), trained(name, device, runs=1)
    assert difference(weights(together[0]), weights(alone[0])) < 1e-3


def test_gradients_of_single_images_agree_with_the_cpu(device):
    ours, expected = (norms_of_single_images(backbone_on(d).tower, d) for d in (device, CPU))
    assert difference(ours.cpu(), expected) < 1e-3


@pytest.mark.parametrize("name", ["prompt_ce", "prompt_gce", "text_finetune"])
def test_a_bfloat16_training_follows_a_float32_one(name, device):
    rounded, exact = trained(name, device, torch.bfloat16), trained(name, device)
    for ours, expected in zip(rounded, exact, strict=True):
        assert ours.history.loss.to_numpy() == pytest.approx(expected.history.loss, rel=0.1)
