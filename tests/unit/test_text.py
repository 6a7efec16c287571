"""The text tower without avoidable work against open_clip's own on all 77 tokens."""

import pytest
import torch
from torch import nn

from ptnl.errors import InputError
from ptnl.text import SharedContextEncoder, check_tower, encode_texts

NAMES = ["cat", "magnifying_glass", "Persian longhair", "antidisestablishmentarianism", "x"]


def reference(model, tokenizer, names, context):
    """CoOp's prompt learner and text encoder, plainly: every class, every token, one context."""
    length = len(context)
    prompts = [" ".join(["X"] * length + [name.replace("_", " ") + "."]) for name in names]
    tokens = tokenizer(prompts, context_length=model.context_length)
    x = model.token_embedding(tokens)
    x = torch.cat([x[:, :1], context.expand(len(names), -1, -1), x[:, 1 + length :]], dim=1)
    x = x + model.positional_embedding
    x = model.transformer(x, attn_mask=model.attn_mask)
    x = model.ln_final(x)
    return x[torch.arange(len(names)), tokens.argmax(dim=-1)] @ model.text_projection


@pytest.mark.parametrize("length", [1, 4, 16])
def test_shared_context_equals_the_whole_tower(tiny_clip, tokenizer, length):
    model = tiny_clip.double()
    torch.manual_seed(length)
    context = torch.randn(2, length, 32, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, len(NAMES), 16, dtype=torch.float64)
    fast = SharedContextEncoder(model, tokenizer, NAMES, length)(context)
    plain = torch.stack([reference(model, tokenizer, NAMES, run) for run in context])
    torch.testing.assert_close(fast, plain, rtol=1e-10, atol=1e-10)
    gradients = [torch.autograd.grad((x * weight).sum(), context)[0] for x in (fast, plain)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)
    tiny_clip.float()


def test_runs_do_not_touch_each_other(tiny_clip, tokenizer):
    encoder = SharedContextEncoder(tiny_clip, tokenizer, NAMES, 4)
    contexts = torch.randn(3, 4, 32)
    together = encoder(contexts)
    alone = torch.cat([encoder(contexts[run : run + 1]) for run in range(3)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_whole_texts_equal_open_clips(tiny_clip, tokenizer):
    texts = ["a photo of a cat.", "an icon.", "a photo of a very long name, a type of thing."]
    expected = tiny_clip.encode_text(tokenizer(texts, context_length=77))
    torch.testing.assert_close(
        encode_texts(tiny_clip, tokenizer, texts), expected, rtol=1e-5, atol=1e-5
    )


def test_a_context_that_does_not_fit_is_refused(tiny_clip, tokenizer):
    with pytest.raises(InputError, match="72 context tokens and the class name 'antidis"):
        SharedContextEncoder(tiny_clip, tokenizer, NAMES, 72)


def test_other_towers_are_refused(tiny_clip):
    class NotCausal(nn.Module):
        text_pool_type = "argmax"
        attn_mask = None

    with pytest.raises(InputError, match="not causal"):
        check_tower(NotCausal())
