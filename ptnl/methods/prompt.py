"""Prompt tuning (CoOp): a learnable context shared by all classes, everything else frozen."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ptnl.text import PromptEncoder, context_prompts
from ptnl.text.prompts import Prompt
from ptnl.training.epochs import PlanOf
from ptnl.training.tuning import SweepData, TunedRun, cosine_logits, initial_normal, train_sweep

CONTEXT_STD = 0.02  # CoOp's random initialisation of the context tokens

# A context of no tokens has nothing to train. Its history is one evaluation of all shots.
ONE_LOOK = {
    "epochs": 1,
    "learning_rate": 0.0,
    "momentum": 0.0,
    "weight_decay": 0.0,
    "warmup_epochs": 0,
    "warmup_learning_rate": 0.0,
}


def tune(sweep: SweepData) -> list[TunedRun]:
    """Train one context (M, W) per run (paper, section 3, Eqs. 2, 3); M may be 0 (section 4.5)."""
    settings = sweep.settings
    if settings["context_length"] == 0:
        settings = {**settings, **ONE_LOOK, "batch_size": sweep.labels.shape[1]}
    return train_tokens(sweep, settings, sweep_prompts(sweep), {"context": initial_context(sweep)})


def train_context(sweep: SweepData, plan_of: PlanOf) -> list[TunedRun]:
    """Train one context (M, W) per run like `tune`, on what a plan chooses in every epoch."""
    start = {"context": initial_context(sweep)}
    return train_tokens(sweep, sweep.settings, sweep_prompts(sweep), start, plan_of)


def sweep_prompts(sweep: SweepData) -> list[Prompt]:
    """The prompts, such as [context][class name][.], that the settings of a sweep ask for."""
    return context_prompts(
        sweep.backbone.tokenizer,
        sweep.class_names,
        sweep.settings["context_length"],
        sweep.settings.get("class_token_position", "end"),
    )


def initial_context(sweep: SweepData) -> Tensor:
    """Random context tokens (R, M, W); those of a run depend on its seed."""
    width = sweep.backbone.tower.width
    shape = (sweep.settings["context_length"], width)
    drawn = [initial_normal("context", shape, CONTEXT_STD, seed) for seed in sweep.seeds]
    return torch.stack(drawn)


def token_embeddings(sweep: SweepData, tokens: Sequence[int]) -> Tensor:
    """The backbone's embeddings (R, L, W) of vocabulary tokens, the same for every run."""
    rows = sweep.backbone.tower.token_embedding[list(tokens)]
    return rows.repeat(len(sweep.seeds), 1, 1)


def train_tokens(
    sweep: SweepData,
    settings: Mapping[str, Any],
    prompts: Sequence[Prompt],
    start: Mapping[str, Tensor],
    plan_of: PlanOf | None = None,
) -> list[TunedRun]:
    """Train the learnable tokens of prompts, for R runs side by side.

    `start` has the initial values (R, l, W) of groups of learnable tokens by name; tokens are
    numbered through in its order. `plan_of` chooses what each epoch trains on (see
    `ptnl.training.epochs`).
    """
    backbone = sweep.backbone
    encoder = PromptEncoder(backbone.tower, [prompt.tokens for prompt in prompts])
    scale = backbone.logit_scale  # read once, because on a GPU a read waits for the device
    groups = [group.to(backbone.device) for group in start.values()]
    tokens = torch.cat(groups, dim=1).requires_grad_()

    def class_logits(tokens: Tensor, features: Tensor) -> Tensor:
        return cosine_logits(features, encoder(tokens), scale)

    histories = train_sweep(sweep, tokens, class_logits, settings, plan_of)
    with torch.inference_mode():
        embeddings = encoder(tokens)
    sizes = [group.shape[1] for group in start.values()]
    return [
        TunedRun(
            dict(zip(start, tokens[run].detach().split(sizes), strict=True)),
            history,
            cosine_logits(sweep.test_features, embeddings[run], scale),
        )
        for run, history in enumerate(histories)
    ]
