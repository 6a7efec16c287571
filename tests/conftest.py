"""Fixtures: a tiny CLIP of open_clip's own classes, and the repository's root."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from open_clip import CLIP
from open_clip.tokenizer import SimpleTokenizer

from ptnl.backbones.loading import LoadedBackbone

ROOT = Path(__file__).parents[1]

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"layers": 1, "width": 16, "head_width": 8, "patch_size": 16, "image_size": 32},
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 32,
        "heads": 4,
        "layers": 3,
    },
}


def pytest_collection_modifyitems(items) -> None:
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="torch finds no GPU"))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def tokenizer() -> SimpleTokenizer:
    return SimpleTokenizer()


@pytest.fixture(scope="session")
def tiny_clip() -> CLIP:
    """Random weights, large enough that every part of the tower matters to the result."""
    torch.manual_seed(0)
    model = CLIP(**TINY).eval().requires_grad_(False)
    for parameter in model.parameters():
        if parameter.ndim >= 1:
            parameter.normal_(0, 0.2)
    return model


@pytest.fixture(scope="session")
def tiny_backbone(tiny_clip, tokenizer) -> LoadedBackbone:
    return LoadedBackbone("tiny", tiny_clip, tokenizer, torch.device("cpu"))


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A separate disk of one megabyte; users who may not mount one skip the test."""
    folder = tmp_path / "small_disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)
