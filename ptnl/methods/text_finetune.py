"""TEnc-FT: the whole text encoder is trained, on the fixed hand-crafted prompt (section 4.3).

Each run has a copy of the tower, and all copies are trained side by side: only few tokens use each
copy, so batched products are much faster than one run after the other. Of the token and positional
embeddings, only the rows that the prompts read are copied; the others have no gradient.
"""

import torch
from torch import Tensor

from ptnl.text import PromptEncoder, class_prompts
from ptnl.training.tuning import SweepData, TunedRun, cosine_logits, train_sweep

TOKENS, POSITIONS = "token_embedding.weight", "positional_embedding"


def tune(sweep: SweepData) -> list[TunedRun]:
    """Train one text encoder per run; its weights have open_clip's names.

    Row i of the token embedding belongs to the i-th of the vocabulary tokens that the prompts use,
    in ascending order.
    """
    tower, scale, runs = sweep.backbone.tower, sweep.backbone.logit_scale, len(sweep.seeds)
    hand_crafted = class_prompts(sweep.backbone.tokenizer, sweep.class_names, sweep.template)
    prompts = [prompt.tokens for prompt in hand_crafted]
    used = sorted({token for prompt in prompts for token in prompt})
    learnable = {token: -1 - row for row, token in enumerate(used)}
    encoder = PromptEncoder(tower, [[learnable[token] for token in prompt] for prompt in prompts])
    start = {TOKENS: tower.token_embedding[used], **tower.weights}
    start[POSITIONS] = start[POSITIONS][: max(map(len, prompts))]
    trained = {
        name: weight.repeat(runs, *[1] * weight.ndim).requires_grad_()
        for name, weight in start.items()
    }

    def class_logits(trained: dict[str, Tensor], features: Tensor) -> Tensor:
        return cosine_logits(features, encoder(trained[TOKENS], trained), scale)

    histories = train_sweep(sweep, trained, class_logits)
    with torch.inference_mode():
        embeddings = encoder(trained[TOKENS], trained)
    return [
        TunedRun(
            {name: weight[run].detach() for name, weight in trained.items()},
            history,
            cosine_logits(sweep.test_features, embeddings[run], scale),
        )
        for run, history in enumerate(histories)
    ]
