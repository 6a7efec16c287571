"""The device that the tests of this folder run on: a GPU, or the CPU to rehearse them."""

import os

import pytest
import torch

# `make gpu-bench DEVICE=cpu` sets it, to rehearse the tests without a GPU.
NAME = os.environ.get("PTNL_TEST_DEVICE", "cuda")


def pytest_collection_modifyitems(items) -> None:
    if NAME != "cuda" or torch.cuda.is_available():
        return
    for item in items:
        if "tests/gpu" in str(item.fspath):
            item.add_marker(pytest.mark.skip(reason="torch finds no GPU"))


@pytest.fixture(scope="session")
def device() -> torch.device:
    return torch.device(NAME)


@pytest.fixture(autouse=True)
def exact_float32():
    """Multiply in true float32: TF32 keeps only ten bits of the mantissa."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
