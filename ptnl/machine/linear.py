"""Linear layers on the CPU: in float32 by oneDNN where torch has it, or in bfloat16.

torch multiplies float32 matrices with MKL, which takes a slow path on processors that are not
Intel's. oneDNN, which torch uses for convolutions, generates code for whatever the processor
offers: on an AMD EPYC with AVX-512 its products take 0.45 of MKL's time. torch reaches oneDNN's
linear layer only through its compiler, so it is called here by the name that the compiler uses,
with the gradients written out.
"""

import platform
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


@cache
def has_onednn() -> bool:
    """Whether torch offers oneDNN's float32 linear layer on this processor."""
    return (
        platform.machine().lower() in ("x86_64", "amd64")
        and torch.backends.mkldnn.is_available()
        and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    )


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """X (..., V) times weight (W, V) transposed, plus bias (W): what `F.linear` gives, (..., W).

    x is rounded to the weight's type. The result has the type of x on a CPU, where attention is in
    float32, and the weight's on a GPU, where its type is that of all products.
    """
    if x.device.type != "cpu":
        return F.linear(x.to(weight.dtype), weight, bias)
    if x.dtype == weight.dtype == torch.float32 and has_onednn():
        result: Tensor = _OneDNNLinear.apply(x, weight, bias)
        return result
    # torch itself sends products of bfloat16 to oneDNN.
    return F.linear(x.to(weight.dtype), weight, bias).to(x.dtype)


def linear_of_runs(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """R linear layers at once: x (R, N, V), weight (R, W, V) and bias (R, W) give (R, N, W)."""
    if x.device.type != "cpu":
        return torch.baddbmm(bias[:, None], x.to(weight.dtype), weight.mT)
    return torch.stack([linear(*of_run) for of_run in zip(x, weight, bias, strict=True)])


def product(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product (N, V) by (V, W), computed as `linear` computes it. No gradients."""
    if a.device.type == "cpu" and a.dtype == torch.float32 and has_onednn():
        return _times(a, b.mT, None)
    return a @ b


def _times(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
    return product


def _times_each(
    info: Any, batched: Sequence[int | None], x: Tensor, weight: Tensor, *others: Any
) -> tuple[Tensor, int]:
    """What `torch.vmap` calls for several x at once: they become rows of one x."""
    if batched[0] is None or batched[1] is not None:
        raise NotImplementedError("only x may be one of several")
    product = torch.ops.mkldnn._linear_pointwise(x.movedim(batched[0], 0), weight, *others)
    return product, 0


if has_onednn():
    torch.library.register_vmap("mkldnn::_linear_pointwise", _times_each)


class _OneDNNLinear(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _times(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weight, _ = inputs
        ctx.save_for_backward(x if ctx.needs_input_grad[1] else None, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        of_x = of_weight = of_bias = None
        if ctx.needs_input_grad[0]:
            of_x = _times(gradient, weight.mT, None)
        if ctx.needs_input_grad[1]:
            of_weight = _times(gradient.flatten(0, -2).mT, x.flatten(0, -2).mT, None)
        if ctx.needs_input_grad[2]:
            of_bias = gradient.flatten(0, -2).sum(dim=0)
        return of_x, of_weight, of_bias
