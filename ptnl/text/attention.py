"""Attention of blocks of tokens to a prefix that all blocks share, and to themselves.

Axes: R runs, P tokens of the prefix, K blocks of B tokens, of which Q attend, and the width W = HD
of H heads.
"""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def attend_prefix(query: Tensor, key_value: Tensor, heads: int) -> Tensor:
    """Mixed values (R, P, H, D) of queries (R, P, W) and keys and values (R, P, 2W); causal."""
    query = _by_heads(query, heads)
    key, value = (_by_heads(x, heads) for x in key_value.chunk(2, dim=-1))
    return F.scaled_dot_product_attention(query, key, value, is_causal=True).transpose(1, 2)


def attend_blocks(query: Tensor, prefix: Tensor, rest: Tensor, bias: Tensor, heads: int) -> Tensor:
    """Mixed values (R, KQ, H, D): a block attends to the prefix and to itself.

    These are plain products, forward and backward. On a CPU, for blocks of few tokens, they are
    faster than torch's fused attention, which needs the prefix once a block.

    Parameters
    ----------
    query : (R, KQ, W), queries block by block
    prefix, rest : (R, P, 2W) and (R, KB, 2W), keys and values
    bias : (K, Q, P + B), 0 if a query sees a token, -inf if not
    """
    mixed, _ = _Attention.apply(query, prefix, rest, bias, heads)
    by_tokens: Tensor = mixed.transpose(1, 2)
    return by_tokens


def attend_within(query: Tensor, key: Tensor, value: Tensor, bias: Tensor, heads: int) -> Tensor:
    """Mixed values (R, KQ, H, D) of blocks that attend to themselves, by torch's fused attention.

    Parameters
    ----------
    query : (R, KQ, W), queries block by block
    key, value : (R, KB, W)
    bias : (RK, Q, B) of the operands' type, 0 if a query sees a token, -inf if not
    """
    runs, blocks = len(query), len(bias) // len(query)

    def by_blocks(x: Tensor) -> Tensor:  # (RK, H, N / K, D)
        return _by_heads(x.reshape(runs * blocks, -1, x.shape[-1]), heads)

    query, key, value = map(by_blocks, (query, key, value))
    mixed = F.scaled_dot_product_attention(query, key, value, bias[:, None])
    by_tokens: Tensor = mixed.transpose(1, 2).reshape(runs, -1, *mixed.shape[1::2])
    return by_tokens


class _Attention(torch.autograd.Function):
    """The products are those of the prefix with all blocks at once, and of each block with itself.

    With s the shares of a query and g the gradient of what it mixed, softmax passes
    s * (g V^T - g . mixed) back to the scores (FlashAttention, arXiv 2205.14135, section B.2), so
    the part of the blocks is left out where neither their queries nor their keys are trained.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(
        query: Tensor, prefix: Tensor, rest: Tensor, bias: Tensor, heads: int
    ) -> tuple[Tensor, Tensor]:
        blocks = len(bias)
        query = _by_heads(query, heads).contiguous()  # (R, H, KQ, D)
        key_p, value_p = _halves_by_heads(prefix, heads)  # (R, H, P, D)
        key_b, value_b = _halves_by_heads(rest, heads, blocks)  # (R, H, K, B, D)
        to_prefix = (query @ key_p.mT).unflatten(2, (blocks, -1))  # (R, H, K, Q, P)
        to_block = query.unflatten(2, (blocks, -1)) @ key_b.mT  # (R, H, K, Q, B)
        scores = torch.cat([to_prefix, to_block], dim=-1)
        shares = torch.add(bias, scores, alpha=query.shape[-1] ** -0.5).softmax(dim=-1)
        to_prefix, to_block = shares.split([key_p.shape[2], key_b.shape[3]], dim=-1)
        mixed = to_prefix.flatten(2, 3) @ value_p + (to_block @ value_b).flatten(2, 3)
        return mixed, shares

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        query, prefix, rest, bias, heads = inputs
        mixed, shares = output
        ctx.mark_non_differentiable(shares)
        ctx.save_for_backward(query, prefix, rest, mixed, shares)
        ctx.heads, ctx.blocks = heads, len(bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        query, prefix, rest, mixed, shares = ctx.saved_tensors
        heads, blocks = ctx.heads, ctx.blocks
        query = _by_heads(query, heads).contiguous()
        key, value = _halves_by_heads(prefix, heads)
        scale, sizes = query.shape[-1] ** -0.5, [key.shape[2], shares.shape[-1] - key.shape[2]]
        to_prefix, to_block = shares.split(sizes, dim=-1)
        to_prefix = to_prefix.flatten(2, 3)
        along = (gradient * mixed).sum(dim=-1, keepdim=True)
        pull = to_prefix * (gradient @ value.mT - along) * scale
        of_prefix = _side_by_side(pull.mT @ query, to_prefix.mT @ gradient)
        if not (ctx.needs_input_grad[0] or ctx.needs_input_grad[2]):
            return None, of_prefix, None, None, None
        of_query = pull @ key
        key, value = _halves_by_heads(rest, heads, blocks)
        query, gradient, along = (x.unflatten(2, (blocks, -1)) for x in (query, gradient, along))
        pull = to_block * (gradient @ value.mT - along) * scale
        of_query = (of_query + (pull @ key).flatten(2, 3)).transpose(1, 2).flatten(2)
        of_key, of_value = pull.mT @ query, to_block.mT @ gradient
        of_rest = _side_by_side(of_key.flatten(2, 3), of_value.flatten(2, 3))
        return of_query, of_prefix, of_rest, None, None


def _by_heads(x: Tensor, heads: int) -> Tensor:
    """Heads apart: (R, N, W) -> (R, H, N, D)."""
    apart: Tensor = x.unflatten(-1, (heads, -1))
    return apart.transpose(1, 2)


def _halves_by_heads(x: Tensor, heads: int, blocks: int | None = None) -> Iterator[Tensor]:
    """Keys and values of (R, N, 2W), (R, H, N, D) each, or (R, H, K, N / K, D) for K blocks."""
    for half in x.chunk(2, dim=-1):
        apart = _by_heads(half, heads).contiguous()
        yield apart if blocks is None else apart.unflatten(2, (blocks, -1))


def _side_by_side(key: Tensor, value: Tensor) -> Tensor:
    """Keys and values, (R, H, N, D) each, as (R, N, 2W)."""
    both: Tensor = torch.stack([key.transpose(1, 2), value.transpose(1, 2)], dim=2)
    return both.flatten(2)
