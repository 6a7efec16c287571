"""Embeddings of prompts with learnable tokens, without work that cannot change the result."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ptnl.errors import InputError
from ptnl.machine.memory import activation_budget
from ptnl.text.packing import pack
from ptnl.text.prompts import Tokens, tokenise
from ptnl.text.tokenizer import clip_tokenizer
from ptnl.text.tower import Row, TextTower, Weights, project_first, rounded, run_tower

# Activations kept for the backward pass, per token and layer, in multiples of the tower's width, as
# measured with QuickGELU (4 fewer with GELU), and how many more if the weights are trained.
FROZEN_WIDTHS, TRAINED_WIDTHS = 18, 9


class PromptEncoder:
    """Embeddings of C prompts, some of whose tokens are learnable, for R runs side by side.

    CLIP's text tower is causal, and its result is read at the end token. So nothing after that
    token matters, and the beginning that all prompts share does not depend on the class: it is
    computed once per run and not once per class. The classes' own tokens follow it in one row,
    almost without padding. In the last layer, only the end tokens are computed.
    """

    def __init__(
        self,
        tower: TextTower,
        prompts: Sequence[Tokens],
        activation_bytes: int | None = None,
        repeats_prefix: bool | None = None,
    ):
        """Lay out the prompts (see `ptnl.text.prompts`) for a text tower.

        `activation_bytes` is the memory for activations that are kept until the backward pass (by
        default that of `ptnl.machine.memory.activation_budget`); what does not fit is recomputed.
        `repeats_prefix` says whether each block begins with the prefix, and attends to itself alone
        (by default on a GPU): that computes a little more, in far fewer operations.
        Raises `InputError` if a prompt is too long for the tower.
        """
        _check_lengths(tower, prompts)
        embeddings = tower.token_embedding
        if repeats_prefix is None:
            repeats_prefix = embeddings.device.type != "cpu"
        layout = pack(prompts, repeats_prefix)

        def on_device(array: np.ndarray) -> Tensor:
            return torch.from_numpy(array).to(embeddings.device)

        self._tower = tower
        if activation_bytes is None:
            activation_bytes = activation_budget(embeddings.device)
        self._activation_bytes = activation_bytes
        self._prefix = len(layout.prefix)
        self._blocks, self._size = layout.tokens.shape
        tokens = np.concatenate([layout.prefix, layout.tokens.ravel()])  # (N)
        positions = np.concatenate([np.arange(self._prefix), layout.positions.ravel()])
        learnt = np.flatnonzero(tokens < 0)
        self._learnt_slots = on_device(learnt)  # (S) of N
        self._learnt = on_device(-1 - tokens[learnt])  # (S) of the L learnable tokens
        self._fixed = embeddings[on_device(tokens.clip(min=0))]  # (N, W)
        self._fixed[self._learnt_slots] = 0
        self._positions = on_device(positions)  # (N)
        bias = np.where(layout.sees, 0, -np.inf)
        self._bias = on_device(bias).to(embeddings.dtype)  # (K, B, P + B)
        self._ends = on_device(layout.ends)  # (K, E)
        self._order = on_device(layout.order)  # (C)
        is_end = np.arange(layout.ends.shape[1]) < layout.counts[:, None]
        self._real_ends = on_device(np.flatnonzero(is_end))  # (C) of KE
        self._ends_before = [0, *np.cumsum(layout.counts).tolist()]
        # If only prefix tokens are trained, the first layer's queries, keys and values of the
        # suffixes never change, so they are computed once.
        self._first_qkv = None
        if self._prefix and not (learnt >= self._prefix).any():
            places = tower.weights["positional_embedding"][self._positions[self._prefix :]]
            suffix = self._fixed[self._prefix :] + places
            self._first_qkv = project_first(tower.weights, suffix)

    def __call__(self, tokens: Tensor, weights: Weights | None = None) -> Tensor:
        """Embeddings (R, C, D), not normalised.

        They have the type of the tokens. Without gradients, for instance at the end of a run, all
        is computed in that type; see `TextTower.dtype` for products while gradients are recorded.

        tokens : (R, L, W), the learnable tokens
        weights : the tower's, each with a leading run axis, if they are trained; by default the
            backbone's own
        """
        if not torch.is_grad_enabled():
            return self._embed(tokens, weights)
        return self._embed(tokens, None if weights is None else rounded(weights, self._tower.dtype))

    def _embed(self, tokens: Tensor, weights: Weights | None) -> Tensor:
        runs = len(tokens)
        row = self._row(tokens, weights)
        prefix, suffix = row[:, : self._prefix], row[:, self._prefix :]
        step, kept = self._chunks(runs, is_trained=weights is not None)
        parts = []
        for number, first in enumerate(range(0, self._blocks, step)):
            last = min(first + step, self._blocks)
            chunk = suffix[:, first * self._size : last * self._size]
            if number < kept or not torch.is_grad_enabled():
                parts.append(self._encode(prefix, chunk, first, last, weights))
            else:
                parts.append(
                    checkpoint(
                        self._encode,
                        prefix,
                        chunk,
                        first,
                        last,
                        weights,
                        use_reentrant=False,
                        preserve_rng_state=False,
                    )
                )
        return torch.cat(parts, dim=1).index_select(1, self._order).to(tokens.dtype)

    def _row(self, tokens: Tensor, weights: Weights | None = None) -> Tensor:
        """The row (R, N, W) that enters the tower: embeddings of tokens plus those of positions."""
        places = (weights or self._tower.weights)["positional_embedding"]
        positions = places[..., self._positions, :]
        row = (self._fixed + positions).expand(len(tokens), -1, -1)
        learnt = tokens.to(row.dtype)[:, self._learnt]
        return row.index_add(1, self._learnt_slots, learnt)

    def _chunks(self, runs: int, is_trained: bool) -> tuple[int, int]:
        """How many blocks form a chunk, and how many chunks keep their activations."""
        widths = FROZEN_WIDTHS + is_trained * TRAINED_WIDTHS
        numbers = runs * self._tower.layers * widths * self._tower.width
        token_bytes = numbers * self._fixed.element_size()
        fitting = self._activation_bytes // token_bytes
        if self._prefix + self._blocks * self._size <= fitting:
            return self._blocks, 1
        # An eighth of the budget is for the chunk that is being recomputed.
        step = max(1, (fitting // 8 - self._prefix) // self._size)
        return step, max(0, fitting // (self._prefix + step * self._size) - 1)

    def _encode(
        self, prefix: Tensor, suffix: Tensor, first: int, last: int, weights: Weights | None
    ) -> Tensor:
        """Embeddings (R, c, D) of the prompts in blocks `first` to `last - 1`, block by block."""
        first_qkv = None
        if weights is None and self._first_qkv is not None:
            first_qkv = self._first_qkv[first * self._size : last * self._size]
        if weights is None:
            tower, is_training = self._tower, torch.is_grad_enabled()
            weights = tower.weights_in_training if is_training else tower.weights
        ends, bias = self._ends[first:last], self._bias[first:last]
        block = torch.arange(last - first, device=ends.device)[:, None]
        end_bias = bias[block, ends]
        if not self._prefix:
            dtype = weights["transformer.resblocks.0.attn.in_proj_weight"].dtype
            bias, end_bias = (
                b.to(dtype).expand(len(suffix), -1, -1, -1).flatten(0, 1) for b in (bias, end_bias)
            )
        real = slice(self._ends_before[first], self._ends_before[last])
        row = Row(
            prefix=self._prefix,
            bias=bias,
            end_bias=end_bias,
            end_slots=(self._prefix + self._size * block + ends).flatten(),
            real_ends=self._real_ends[real] - first * ends.shape[1],
        )
        x = torch.cat([prefix, suffix], dim=1) if self._prefix else suffix
        return run_tower(self._tower, weights, x, row, first_qkv)


def _check_lengths(tower: TextTower, prompts: Sequence[Tokens]) -> None:
    longest = max(prompts, key=len)
    if len(longest) > tower.context_length:
        text = clip_tokenizer().decode([token for token in longest[1:-1] if token >= 0])
        learnable = sum(token < 0 for token in longest)
        raise InputError(
            f"the prompt of {text.strip()!r} has {len(longest)} tokens, {learnable} of them "
            f"learnable, more than the backbone's {tower.context_length}"
        )


@torch.no_grad()
def encode_texts(tower: TextTower, texts: Sequence[str]) -> Tensor:
    """Embeddings (texts, D) of whole texts, not normalised."""
    tokenizer = clip_tokenizer()
    encoder = PromptEncoder(tower, [tokenise(tokenizer, text) for text in texts])
    return encoder(tower.token_embedding[None, :0])[0]
