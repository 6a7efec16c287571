"""CoOp's training step written plainly: tests compare results with it, `ptnl bench` compares times.

Every class passes the whole text tower with all tokens of the context length at every step, every
image the image encoder, and one run is trained at a time. Nothing in a study uses it.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from open_clip import CLIP
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor


class PlainPrompts:
    """CoOp's prompt learner and text encoder."""

    def __init__(
        self,
        model: CLIP,
        tokenizer: SimpleTokenizer,
        class_names: Sequence[str],
        context_length: int,
        position: str = "end",
    ):
        self.model = model
        self.position = position
        names = [name.replace("_", " ") for name in class_names]
        self.name_lengths = [len(tokenizer.encode(name)) for name in names]
        prompts = [" ".join(["X"] * context_length + [name + "."]) for name in names]
        tokens = tokenizer(prompts, context_length=model.context_length)
        tokens = tokens.to(model.logit_scale.device)
        self.ends = tokens.argmax(dim=-1)
        with torch.no_grad():
            self.embeddings = model.token_embedding(tokens)

    def __call__(self, context: Tensor) -> Tensor:
        """Class embeddings (C, D) of one context (M, W), not normalised."""
        x = self._at_end(context) if self.position == "end" else self._in_middle(context)
        x = x + self.model.positional_embedding
        x = self.model.transformer(x, attn_mask=self.model.attn_mask)
        x = self.model.ln_final(x)
        ends: Tensor = x[torch.arange(len(x), device=x.device), self.ends]
        projection: Tensor = self.model.text_projection
        return ends @ projection

    def _at_end(self, context: Tensor) -> Tensor:
        start, rest = self.embeddings[:, :1], self.embeddings[:, 1 + len(context) :]
        return torch.cat([start, context.expand(len(rest), -1, -1), rest], dim=1)

    def _in_middle(self, context: Tensor) -> Tensor:
        half = len(context) // 2
        rows = []
        for row, length in zip(self.embeddings, self.name_lengths, strict=True):
            name, rest = row[1 + len(context) :].split(
                [length, len(row) - 1 - len(context) - length]
            )
            rows.append(torch.cat([row[:1], context[:half], name, context[half:], rest]))
        return torch.stack(rows)


def plain_step(
    prompts: PlainPrompts,
    context: Tensor,
    images: Tensor,
    labels: Tensor,
    optimiser: torch.optim.Optimizer,
) -> Tensor:
    """One step of SGD with the cross-entropy on images (B, 3, H, W); returns its loss."""
    model = prompts.model
    with torch.no_grad():
        features = F.normalize(model.encode_image(images), dim=-1)
    classes = F.normalize(prompts(context), dim=-1)
    loss = F.cross_entropy(model.logit_scale.exp() * features @ classes.T, labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.detach()
