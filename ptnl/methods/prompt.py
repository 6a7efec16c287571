"""Prompt tuning (CoOp): a learnable context shared by all classes, everything else frozen."""

import torch

from ptnl.losses import LOSSES
from ptnl.optim import train_sgd
from ptnl.text import SharedContextEncoder
from ptnl.tuning import Sweep, TunedRun, cosine_logits, initial_normal

CONTEXT_STD = 0.02  # CoOp's random initialisation of the context tokens


def tune(sweep: Sweep) -> list[TunedRun]:
    """Train one context (M, W) a run (paper, section 3, Eqs. 2 and 3)."""
    backbone, settings = sweep.backbone, sweep.settings
    encoder = SharedContextEncoder(
        backbone.model, backbone.tokenizer, sweep.class_names, settings["context_length"]
    )
    shape = (settings["context_length"], encoder.width)
    context = torch.stack([initial_normal(shape, CONTEXT_STD, seed) for seed in sweep.seeds])
    context = context.to(backbone.device).requires_grad_()

    def class_logits(context: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        return cosine_logits(features, encoder(context), backbone.logit_scale)

    histories = train_sgd(
        context,
        class_logits,
        sweep.features_at,
        sweep.labels,
        sweep.labels_clean,
        sweep.seeds,
        LOSSES[sweep.method.loss](settings),
        settings,
    )
    with torch.inference_mode():
        return [
            TunedRun(
                {"context": context[run].detach()},
                history,
                class_logits(context[run : run + 1], sweep.test_features[None])[0],
            )
            for run, history in enumerate(histories)
        ]
