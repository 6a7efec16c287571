"""Text embeddings from CLIP's text tower, without the work that cannot change them.

CLIP's text tower is causal and reads its result at the end-of-text token. So nothing after that
token matters, and tokens that stand before the class name (start token and a shared context) see
nothing of it: they are computed once, not once a class.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from open_clip import CLIP
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor

from ptnl.errors import InputError


def spoken(class_name: str) -> str:
    """A class name as it stands in a prompt: underscores are spaces (CoOp)."""
    return class_name.replace("_", " ")


def check_tower(model: CLIP) -> None:
    """Refuse text towers that are not causal, or whose result is not read at the end token."""
    if model.text_pool_type != "argmax" or model.attn_mask is None:
        raise InputError("this backbone's text tower is not causal with an end token, as CLIP's is")
    for block in model.transformer.resblocks:
        if type(block) is not ResidualAttentionBlock:
            raise InputError(
                f"this backbone's text tower has blocks of type {type(block).__name__}"
            )


@torch.no_grad()
def encode_texts(model: CLIP, tokenizer: SimpleTokenizer, texts: Sequence[str]) -> Tensor:
    """Embeddings (texts, D) of whole texts, not normalised, cut after the longest one's end."""
    check_tower(model)
    device = model.positional_embedding.device
    rows = [
        [tokenizer.sot_token_id, *tokenizer.encode(text), tokenizer.eot_token_id] for text in texts
    ]
    length = max(map(len, rows))
    if length > model.context_length:
        raise InputError(
            f"{texts[max(range(len(rows)), key=lambda i: len(rows[i]))]!r} has {length} tokens, "
            f"more than the backbone's {model.context_length}"
        )
    tokens = torch.tensor([row + [0] * (length - len(row)) for row in rows], device=device)
    x = model.token_embedding(tokens) + model.positional_embedding[:length]
    x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])
    ends = torch.tensor([len(row) - 1 for row in rows], device=device)
    return model.ln_final(x[torch.arange(len(rows)), ends]) @ model.text_projection


class SharedContextEncoder:
    """Class embeddings of prompts [start][context x M][class name][.][end], for many contexts.

    Every context is shared by all classes, so its tokens pass through the tower once a context, and
    each class adds only its own few tokens, which attend to the context's keys and values and to
    their own predecessors. In the last block only the end tokens are computed. The results equal
    those of the whole tower on 77 tokens per class, up to rounding.
    """

    def __init__(
        self,
        model: CLIP,
        tokenizer: SimpleTokenizer,
        class_names: Sequence[str],
        context_length: int,
    ):
        check_tower(model)
        self.model = model
        self.context_length = context_length
        device = model.positional_embedding.device
        suffixes = [
            [*tokenizer.encode(spoken(name) + "."), tokenizer.eot_token_id] for name in class_names
        ]
        length = max(map(len, suffixes))
        prefix = 1 + context_length
        if prefix + length > model.context_length:
            longest = class_names[max(range(len(suffixes)), key=lambda i: len(suffixes[i]))]
            raise InputError(
                f"{context_length} context tokens and the class name {longest!r} make "
                f"{prefix + length} tokens, more than the backbone's {model.context_length}"
            )
        tokens = torch.tensor(
            [suffix + [0] * (length - len(suffix)) for suffix in suffixes], device=device
        )
        self.ends = torch.tensor([len(suffix) - 1 for suffix in suffixes], device=device)
        positions = model.positional_embedding
        start = torch.tensor([tokenizer.sot_token_id], device=device)
        with torch.no_grad():
            self._start = model.token_embedding(start) + positions[:1]  # (1, W)
            self._positions = positions[1:prefix]  # (M, W)
            self._suffix = model.token_embedding(tokens) + positions[prefix : prefix + length]
        steps = torch.arange(length, device=device)
        # Which of its class's tokens a token sees: itself and its predecessors.
        self._sees = steps[None, :] <= steps[:, None]  # (L, L)
        self._end_sees = steps[None, :] <= self.ends[:, None]  # (C, L)

    @property
    def width(self) -> int:
        """Size of a context token."""
        return self.model.token_embedding.weight.shape[1]

    def __call__(self, context: Tensor) -> Tensor:
        """Class embeddings (R, C, D), not normalised, of contexts (R, M, W)."""
        runs = len(context)
        start = self._start.expand(runs, 1, -1)
        prefix = torch.cat([start, context + self._positions], dim=1)  # (R, P, W)
        suffix = self._suffix.expand(runs, -1, -1, -1)  # (R, C, L, W)
        *blocks, last = self.model.transformer.resblocks
        for block in blocks:
            prefix, suffix = self._block(block, prefix, suffix)
        end = self._last_block(last, prefix, suffix)  # (R, C, W)
        return self.model.ln_final(end) @ self.model.text_projection

    def _block(
        self, block: ResidualAttentionBlock, prefix: Tensor, suffix: Tensor
    ) -> tuple[Tensor, Tensor]:
        q_p, k_p, v_p = _heads(block, block.ln_1(prefix), "qkv")  # (R, P, H, d)
        q_s, k_s, v_s = _heads(block, block.ln_1(suffix), "qkv")  # (R, C, L, H, d)
        mixed_p = F.scaled_dot_product_attention(
            q_p.transpose(1, 2), k_p.transpose(1, 2), v_p.transpose(1, 2), is_causal=True
        ).transpose(1, 2)
        mixed_s = _attend(q_s, k_p, v_p, k_s, v_s, self._sees)
        return _residual(block, prefix, mixed_p), _residual(block, suffix, mixed_s)

    def _last_block(self, block: ResidualAttentionBlock, prefix: Tensor, suffix: Tensor) -> Tensor:
        k_p, v_p = _heads(block, block.ln_1(prefix), "kv")
        seen = block.ln_1(suffix)
        k_s, v_s = _heads(block, seen, "kv")
        classes = torch.arange(suffix.shape[1], device=suffix.device)
        (q_e,) = _heads(block, seen[:, classes, self.ends][:, :, None], "q")  # (R, C, 1, H, d)
        mixed = _attend(q_e, k_p, v_p, k_s, v_s, self._end_sees[:, None, None, :])
        return _residual(block, suffix[:, classes, self.ends][:, :, None], mixed)[:, :, 0]


def _heads(block: ResidualAttentionBlock, x: Tensor, which: str) -> list[Tensor]:
    """Queries, keys or values (..., H, d) of tokens (..., W), as `which` names them."""
    attention = block.attn
    first, last = "qkv".index(which[0]), "qkv".index(which[-1]) + 1
    width = attention.embed_dim
    rows = slice(first * width, last * width)
    joint = F.linear(x, attention.in_proj_weight[rows], attention.in_proj_bias[rows])
    return [part.unflatten(-1, (attention.num_heads, -1)) for part in joint.chunk(len(which), -1)]


def _attend(
    q: Tensor, k_prefix: Tensor, v_prefix: Tensor, k: Tensor, v: Tensor, sees: Tensor
) -> Tensor:
    """Attention of class tokens to the shared prefix and to those of their own class.

    q (R, C, Q, H, d); prefix (R, P, H, d); k and v (R, C, L, H, d); sees, which of the L are
    visible, broadcasts to (C, H, Q, L). Returns (R, C, Q, H, d).
    """
    scale = q.shape[-1] ** -0.5
    to_prefix = torch.einsum("rcqhd,rphd->rchqp", q, k_prefix)
    to_own = torch.einsum("rcqhd,rclhd->rchql", q, k).masked_fill(~sees, float("-inf"))
    weight = (torch.cat([to_prefix, to_own], dim=-1) * scale).softmax(dim=-1)
    on_prefix, on_own = weight.split([k_prefix.shape[1], k.shape[2]], dim=-1)
    return torch.einsum("rchqp,rphd->rcqhd", on_prefix, v_prefix) + torch.einsum(
        "rchql,rclhd->rcqhd", on_own, v
    )


def _residual(block: ResidualAttentionBlock, x: Tensor, mixed: Tensor) -> Tensor:
    """The rest of a residual block once attention has mixed the values (..., H, d)."""
    x = x + block.ls_1(block.attn.out_proj(mixed.flatten(-2)))
    return x + block.ls_2(block.mlp(block.ln_2(x)))
