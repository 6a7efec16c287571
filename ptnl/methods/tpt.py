"""Test-time prompt tuning (TPT, Shu et al., NeurIPS 2022): one step on every test image.

Its code (azshue/TPT at 63ecbac) is followed, in float32. For each image, the prompt takes one step
of AdamW that lowers the entropy of the mean prediction over the image's most certain views. It then
classifies the image, and is reset. No label is used, so label noise matters only if the prompt was
tuned on wrong labels before.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ptnl.backbones.text import TextBackbone
from ptnl.text import PromptEncoder, context_prompts
from ptnl.training.adamw import AdamW
from ptnl.training.tuning import cosine_logits

START = "a photo of a"
TOGETHER = 16  # images whose prompts are tuned side by side


def starting_tokens(backbone: TextBackbone) -> Tensor:
    """The tokens (M, W) of "a photo of a", the same for every data set."""
    return backbone.tower.token_embedding[backbone.tokenizer.encode(START)]


def marginal_entropy(logits: Tensor, share: float) -> Tensor:
    """Entropy (I) of the mean prediction over the share of views with the lowest entropy.

    logits : (I, V, C); among equally certain views, the first are taken
    """
    log_p = logits.log_softmax(dim=-1)
    entropies = -(log_p.exp() * log_p).sum(dim=-1)  # (I, V)
    count = max(1, int(logits.shape[1] * share))
    chosen = entropies.detach().argsort(dim=1, stable=True)[:, :count]
    selected = log_p.gather(1, chosen[..., None].expand(-1, -1, logits.shape[2]))
    mean = selected.logsumexp(dim=1) - torch.tensor(float(count)).log()  # (I, C), logarithms
    return -(mean.exp() * mean).sum(dim=-1)


def tune_at_test(
    backbone: TextBackbone,
    class_names: list[str],
    start: Tensor,
    views: Tensor,
    settings: Mapping[str, Any],
) -> tuple[Tensor, Tensor]:
    """Logits (T, C) of test images before and after each has tuned the prompt for itself.

    Parameters
    ----------
    start : context tokens (M, W) that every image starts from
    views : features (T, V, D) of each image's views, the first under the test transform
    settings : learning_rate, selected
    """
    prompts = context_prompts(backbone.tokenizer, class_names, len(start))
    encoder = PromptEncoder(backbone.tower, [prompt.tokens for prompt in prompts])
    scale = backbone.logit_scale
    with torch.no_grad():
        before = cosine_logits(views[:, 0], encoder(start[None])[0], scale)
    after = []
    for part in views.split(TOGETHER):
        images = F.normalize(part.to(backbone.device), dim=-1)
        tokens = start.expand(len(part), -1, -1).clone().requires_grad_()
        loss = marginal_entropy(cosine_logits(images, encoder(tokens), scale), settings["selected"])
        # The images share no tokens, so the gradient of the sum is that of each image's own loss.
        (gradient,) = torch.autograd.grad(loss.sum(), tokens)
        AdamW(tokens).step(gradient, settings["learning_rate"])
        with torch.no_grad():
            after.append(cosine_logits(images[:, :1], encoder(tokens), scale)[:, 0])
    return before, torch.cat(after)
