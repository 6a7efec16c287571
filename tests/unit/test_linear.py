"""Linear layers by oneDNN equal torch's own, and freed memory stays with the process."""

import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from ptnl.machine import linear as fast
from ptnl.machine.linear import linear, product


def operands(*shape: int, width: int = 48, dtype: torch.dtype = torch.float32) -> list:
    stream = torch.Generator().manual_seed(0)
    x = torch.randn(*shape, 32, generator=stream, dtype=dtype)
    weight = torch.randn(width, 32, generator=stream, dtype=dtype)
    bias = torch.randn(width, generator=stream, dtype=dtype)
    return [tensor.requires_grad_() for tensor in (x, weight, bias)]


@pytest.mark.parametrize("shape", [(7,), (2, 7), (3, 2, 7)])
@pytest.mark.parametrize("trained", [(0,), (0, 1, 2), (1,), (2,)])
def test_results_and_gradients_equal_torchs(shape, trained):
    ours, theirs = operands(*shape), operands(*shape)
    for tensors in (ours, theirs):
        for number, tensor in enumerate(tensors):
            tensor.requires_grad_(number in trained)
    results = linear(*ours), F.linear(*theirs)
    pull = torch.randn(results[0].shape, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(*results)
    for result, tensors in zip(results, (ours, theirs), strict=True):
        (result * pull).sum().backward()
        assert [tensor.grad is not None for tensor in tensors] == [n in trained for n in range(3)]
    for number in trained:
        torch.testing.assert_close(ours[number].grad, theirs[number].grad, rtol=1e-5, atol=1e-4)


def test_a_layer_without_bias_takes_a_gradient_that_is_not_contiguous():
    x, weight, _ = operands(2, 7)
    linear(x, weight).transpose(0, 1).square().sum().backward()
    gradient, x.grad = x.grad, None
    F.linear(x, weight).transpose(0, 1).square().sum().backward()
    torch.testing.assert_close(gradient, x.grad, rtol=1e-5, atol=1e-3)


def test_torch_computes_other_types():
    x, weight, bias = operands(7, dtype=torch.float64)
    assert torch.equal(linear(x, weight, bias), F.linear(x, weight, bias))
    x, weight, bias = operands(7)
    half = [operand.bfloat16() for operand in (x, weight, bias)]
    assert torch.equal(linear(x, *half[1:]), F.linear(*half).float())


def test_torch_computes_all_if_it_has_no_onednn(monkeypatch):
    monkeypatch.setattr(fast, "has_onednn", lambda: False)
    x, weight, bias = operands(7)
    assert torch.equal(linear(x, weight, bias), F.linear(x, weight, bias))
    assert torch.equal(product(x, weight.mT), x @ weight.mT)


def test_a_product_equals_torchs():
    x, weight, _ = operands(7)
    with torch.no_grad():
        torch.testing.assert_close(product(x, weight.mT), x @ weight.mT)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc is Linux's")
def test_freed_memory_stays_with_the_process():
    """The test counts page faults: tensors that reuse freed memory need no new pages."""
    code = """
import resource, sys, torch
from ptnl.machine.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
for step in range(12):
    if step == 2:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    activations = [torch.ones(2**18) for _ in range(40)]
    del activations
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    # These are glibc's initial values; setting them stops it from adapting them to what is freed.
    always_given_back = {
        "MALLOC_MMAP_THRESHOLD_": "131072",
        "MALLOC_TRIM_THRESHOLD_": "131072",
    }
    faults = {
        case: int(
            subprocess.run(
                [sys.executable, "-c", code, case],
                env={**os.environ, **always_given_back},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for case in ("keep", "give back")
    }
    assert faults["keep"] < 1000 < faults["give back"]


def test_gradients_of_several_results_are_those_of_each():
    x, weight, bias = operands(2, 7)
    weight.requires_grad_(False)
    result = linear(x, weight, bias)
    pulls = torch.randn(3, *result.shape, generator=torch.Generator().manual_seed(1))

    def gradient(pull):
        return torch.autograd.grad(result, x, pull, retain_graph=True)[0]

    torch.testing.assert_close(torch.vmap(gradient)(pulls), torch.stack([*map(gradient, pulls)]))
