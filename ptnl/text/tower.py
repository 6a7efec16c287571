"""CLIP's text tower as a function of its weights, on a packed row of tokens, for R runs at once.

The weights are a backbone's own, shared by all runs, or have a leading run axis if they are
trained; frozen weights get no gradients. Up to rounding, the results equal those of open_clip's
modules on single prompts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from ptnl.machine.linear import linear, linear_of_runs
from ptnl.text.attention import attend_blocks, attend_prefix, attend_within

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

    @cached_property
    def weights_in_training(self) -> Weights:
        """The weights by which products are computed while gradients are recorded."""
        return rounded(self.weights, self.dtype)

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

    prefix: int  # P; 0 if the blocks of each run have the prefix in them
    # 0 if a token attends to the other, -inf if not: (K, B, P + B), or (RK, B, B) if P is 0.
    bias: Tensor
    end_bias: Tensor  # (K, E, P + B) or (RK, E, B), the rows of `bias` for the end tokens
    end_slots: Tensor  # (KE), their positions in the row
    real_ends: Tensor  # (C), which of the KE end slots belong to a prompt


def rounded(weights: Mapping[str, Tensor], dtype: torch.dtype) -> Weights:
    """The weights, of which those of the linear layers are in `dtype` if they are float32."""

    def is_rounded(name: str, weight: Tensor) -> bool:
        return (".attn." in name or ".mlp." in name) and weight.dtype == torch.float32

    return {n: w.to(dtype) if is_rounded(n, w) else w for n, w in weights.items()}


def run_tower(
    tower: TextTower, weights: Weights, x: Tensor, row: Row, first_qkv: Tensor | None
) -> Tensor:
    """Embeddings (R, C, D) of the prompts in rows of tokens x (R, P + KB, W), block by block.

    first_qkv (KB, 3W) has the queries, keys and values of the first layer outside the prefix, if
    they are known beforehand.
    """
    for number in range(tower.layers - 1):
        layer = _layer(weights, number)
        if not row.prefix:
            query, key, value = _project(layer, x).chunk(3, dim=-1)
            mixed = attend_within(query, key, value, row.bias, tower.heads)
        elif number == 0 and first_qkv is not None:
            prefix = _project(layer, x[:, : row.prefix])
            mixed = _attend_row(prefix, first_qkv.expand(len(x), -1, -1), row, tower.heads)
        else:
            mixed = _attend_row(*_parts(_project(layer, x), row), row, tower.heads)
        x = _residual(tower, layer, x, mixed.flatten(2))
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


def _attend_row(prefix: Tensor, rest: Tensor, row: Row, heads: int) -> Tensor:
    """Mixed values (R, P + KB, H, D) of queries, keys and values (R, P, 3W) and (R, KB, 3W)."""
    width = prefix.shape[-1] // 3
    query_prefix, key_value_prefix = prefix.split([width, 2 * width], dim=-1)
    query, key_value = rest.split([width, 2 * width], dim=-1)
    mixed_prefix = attend_prefix(query_prefix, key_value_prefix, heads)
    mixed = attend_blocks(query, key_value_prefix, key_value, row.bias, heads)
    return torch.cat([mixed_prefix, mixed], dim=1)


def _last_block(tower: TextTower, layer: Weights, x: Tensor, row: Row) -> Tensor:
    """The end tokens (R, C, W) after the last block, which computes only these."""
    width = x.shape[2]
    normed = _norm(x, layer["ln_1.weight"], layer["ln_1.bias"])
    weight, bias = layer["attn.in_proj_weight"], layer["attn.in_proj_bias"]
    key_value = _linear(normed, weight[..., width:, :], bias[..., width:])
    query = _linear(
        normed.index_select(1, row.end_slots), weight[..., :width, :], bias[..., :width]
    )
    if row.prefix:
        mixed = attend_blocks(query, *_parts(key_value, row), row.end_bias, tower.heads)
    else:
        key, value = key_value.chunk(2, dim=-1)
        mixed = attend_within(query, key, value, row.end_bias, tower.heads)
    mixed = mixed.index_select(1, row.real_ends).flatten(2)
    return _residual(tower, layer, x.index_select(1, row.end_slots[row.real_ends]), mixed)


def _parts(x: Tensor, row: Row) -> tuple[Tensor, Tensor]:
    """Prefix (R, P, ...) and blocks (R, KB, ...) of a row.

    This is a split, because the gradient of a slice would be a whole row, mostly of zeros.
    """
    prefix, rest = x.split([row.prefix, x.shape[1] - row.prefix], dim=1)
    return prefix, rest


def _residual(tower: TextTower, layer: Weights, x: Tensor, mixed: Tensor) -> Tensor:
    """The rest of a block, after attention has mixed the values."""
    mixed = _linear(mixed, layer["attn.out_proj.weight"], layer["attn.out_proj.bias"])
    x = x + _scaled(mixed, layer.get("ls_1.gamma"))
    hidden = _norm(x, layer["ln_2.weight"], layer["ln_2.bias"])
    # The hidden layer is the widest. It stays in the type of the products until it is added to x.
    hidden = hidden.to(layer["mlp.c_fc.weight"].dtype)
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
