"""CLIP's text tower as a function of its weights, on a packed row of tokens, for R runs at once.

The weights are a backbone's own, shared by all runs, or have a leading run axis if they are
trained; frozen weights get no gradients. Up to rounding, the results equal those of open_clip's
modules on single prompts.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ptnl.machine.linear import linear, linear_of_runs

Weights = dict[str, Tensor]
LAYER_NORM_EPSILON = 1e-5


@dataclass(frozen=True)
class TextTower:
    """The text tower of a CLIP model: causal, and read at the end token."""

    token_embedding: Tensor  # (V, W), of the vocabulary
    weights: Weights  # all others, under open_clip's names
    layers: int
    heads: int
    gelu: Callable[[Tensor], Tensor]
    dtype: torch.dtype = torch.float32  # of the products while gradients are recorded

    @property
    def context_length(self) -> int:
        """The most tokens that a prompt may have."""
        return len(self.weights["positional_embedding"])

    @property
    def width(self) -> int:
        """The dimensions of a token."""
        return self.token_embedding.shape[1]

    @property
    def dimensions(self) -> int:
        """The dimensions of an embedding."""
        return self.weights["text_projection"].shape[1]


@dataclass(frozen=True)
class Row:
    """The layout of a row of P + KB tokens (see `ptnl.text.packing`) as the tower needs it."""

    prefix: int  # P
    size: int  # B
    bias: Tensor  # (K, 1, B, P + B), 0 if a token attends to the other, -inf if not
    end_bias: Tensor  # (K, 1, E, P + B), the rows of `bias` for the end tokens
    end_slots: Tensor  # (KE), their positions in the row
    real_ends: Tensor  # (C), which of the KE end slots belong to a prompt


def run_tower(
    tower: TextTower, weights: Weights, x: Tensor, row: Row, first_qkv: Tensor | None
) -> Tensor:
    """Embeddings (R, C, D) of the prompts in rows of tokens x (R, P + KB, W), block by block.

    first_qkv (KB, 3W) has the queries, keys and values of the first layer outside the prefix, if
    they are known beforehand.
    """
    for number in range(tower.layers - 1):
        layer = _layer(weights, number)
        if number == 0 and first_qkv is not None:
            prefix = _project(layer, x[:, : row.prefix])
            qkv = torch.cat([prefix, first_qkv.expand(len(x), -1, -1)], dim=1)
        else:
            qkv = _project(layer, x)
        x = _residual(tower, layer, x, _attend_row(qkv, row, tower.heads))
    x = _last_block(tower, _layer(weights, tower.layers - 1), x, row)
    x = _norm(x, weights["ln_final.weight"], weights["ln_final.bias"])
    return x @ weights["text_projection"]


@torch.no_grad()
def project_first(weights: Weights, x: Tensor) -> Tensor:
    """Queries, keys and values (N, 3W) of tokens x (N, W) in the first layer."""
    return _project(_layer(weights, 0), x)


def _project(layer: Weights, x: Tensor) -> Tensor:
    x = _norm(x, layer["ln_1.weight"], layer["ln_1.bias"])
    return _linear(x, layer["attn.in_proj_weight"], layer["attn.in_proj_bias"])


def _layer(weights: Weights, number: int) -> Weights:
    start = f"transformer.resblocks.{number}."
    return {name.removeprefix(start): w for name, w in weights.items() if name.startswith(start)}


def _attend_row(qkv: Tensor, row: Row, heads: int) -> Tensor:
    """Mixed values (R, N, W): the prefix attends to itself, a block to the prefix and itself."""
    runs, length, width = qkv.shape[0], qkv.shape[1], qkv.shape[2] // 3
    # These are splits, because the gradient of a slice would be a whole row, mostly of zeros.
    prefix, rest = qkv.split([row.prefix, length - row.prefix], dim=1)
    query_prefix, key_value_prefix = prefix.split([width, 2 * width], dim=-1)
    query, key_value = rest.split([width, 2 * width], dim=-1)
    key_prefix, value_prefix = key_value_prefix.chunk(2, dim=-1)
    mixed_prefix = _attend(query_prefix, key_prefix, value_prefix, heads, is_causal=True)
    key, value = _keys_and_values(key_value_prefix, key_value, row)
    bias = row.bias.repeat(runs, 1, 1, 1)
    mixed = _attend(query.reshape(-1, row.size, width), key, value, heads, attn_mask=bias)
    return torch.cat([mixed_prefix, mixed.reshape(runs, -1, width)], dim=1)


def _last_block(tower: TextTower, layer: Weights, x: Tensor, row: Row) -> Tensor:
    """The end tokens (R, C, W) after the last block, which computes only these."""
    runs, length, width = x.shape
    normed = _norm(x, layer["ln_1.weight"], layer["ln_1.bias"])
    weight, bias = layer["attn.in_proj_weight"], layer["attn.in_proj_bias"]
    key_value = _linear(normed, weight[..., width:, :], bias[..., width:])
    query = _linear(normed[:, row.end_slots], weight[..., :width, :], bias[..., :width])
    prefix, rest = key_value.split([row.prefix, length - row.prefix], dim=1)
    key, value = _keys_and_values(prefix, rest, row)
    query, bias = query.reshape(len(key), -1, width), row.end_bias.repeat(runs, 1, 1, 1)
    mixed = _attend(query, key, value, tower.heads, attn_mask=bias)
    mixed = mixed.reshape(runs, -1, width)[:, row.real_ends]
    return _residual(tower, layer, x[:, row.end_slots[row.real_ends]], mixed)


def _keys_and_values(prefix: Tensor, rest: Tensor, row: Row) -> tuple[Tensor, Tensor]:
    """Keys and values (RK, P + B, W) of every block, from those of prefix and row (R, ..., 2W)."""
    rest = rest.unflatten(1, (-1, row.size))
    prefix = prefix[:, None].expand(-1, rest.shape[1], -1, -1)
    key, value = torch.cat([prefix, rest], dim=2).flatten(0, 1).chunk(2, dim=-1)
    return key, value


def _attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    heads: int,
    attn_mask: Tensor | None = None,
    is_causal: bool = False,
) -> Tensor:
    """Scaled dot-product attention of (X, Q, W) to (X, K, W) by heads; gives (X, Q, W)."""
    query, key, value = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (query, key, value))
    mixed = F.scaled_dot_product_attention(query, key, value, attn_mask, is_causal=is_causal)
    return mixed.transpose(1, 2).flatten(2)


def _residual(tower: TextTower, layer: Weights, x: Tensor, mixed: Tensor) -> Tensor:
    """The rest of a block, after attention has mixed the values."""
    mixed = _linear(mixed, layer["attn.out_proj.weight"], layer["attn.out_proj.bias"])
    x = x + _scaled(mixed, layer.get("ls_1.gamma"))
    hidden = _norm(x, layer["ln_2.weight"], layer["ln_2.bias"])
    hidden = tower.gelu(_linear(hidden, layer["mlp.c_fc.weight"], layer["mlp.c_fc.bias"]))
    hidden = _linear(hidden, layer["mlp.c_proj.weight"], layer["mlp.c_proj.bias"])
    return x + _scaled(hidden, layer.get("ls_2.gamma"))


def _linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Tokens x (R, N, V) times weights (W, V), or (R, W, V) if every run has its own."""
    return linear(x, weight, bias) if weight.ndim == 2 else linear_of_runs(x, weight, bias)


def _norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Layer normalisation of x (R, N, W) by weights (W), or (R, W) if every run has its own."""
    if weight.ndim == 1:
        return F.layer_norm(x, weight.shape, weight, bias, LAYER_NORM_EPSILON)
    return F.layer_norm(x, x.shape[-1:], eps=LAYER_NORM_EPSILON) * weight[:, None] + bias[:, None]


def _scaled(x: Tensor, gamma: Tensor | None) -> Tensor:
    """Layer scale by gamma (W), or (R, W); CLIP's own towers have none."""
    if gamma is None:
        return x
    return x * (gamma if gamma.ndim == 1 else gamma[:, None])
