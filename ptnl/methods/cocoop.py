"""CoCoOp (Zhou et al., CVPR 2022): a context that a small network shifts by the image.

Its code (KaiyangZhou/CoOp at ff61507) is followed. Four tokens start as "a photo of a"; a network
of two layers maps the image's unit feature to one vector that is added to each of them. So every
image has its own prompts, and all classes are encoded for every image, in the test too.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ptnl.machine.random_streams import random_stream
from ptnl.methods.prompt import token_embeddings
from ptnl.text import PromptEncoder, context_prompts
from ptnl.training.tuning import SweepData, TunedRun, train_sweep

START = "a photo of a"
NARROWER = 16  # how many times narrower than features the hidden layer is
TOGETHER = 32  # test images whose prompts are encoded at once

# By name, each with a leading run axis: context (M, W) and the network's weights.
Weights = dict[str, Tensor]


def initial_weights(sweep: SweepData) -> Weights:
    """The tokens of "a photo of a", and layers that start uniform, as torch's linear layers do."""
    width, dimensions = sweep.backbone.tower.width, sweep.features.shape[-1]
    hidden = dimensions // NARROWER
    shapes = {
        "meta.first.weight": (hidden, dimensions),
        "meta.first.bias": (hidden,),
        "meta.second.weight": (width, hidden),
        "meta.second.bias": (width,),
    }
    inputs = {"first": dimensions, "second": hidden}
    streams = [random_stream("meta-network", seed) for seed in sweep.seeds]
    weights = {"context": token_embeddings(sweep, sweep.backbone.tokenizer.encode(START))}
    for name, shape in shapes.items():
        bound = inputs[name.split(".")[1]] ** -0.5
        drawn = np.stack([stream.uniform(-bound, bound, shape) for stream in streams])
        weights[name] = torch.from_numpy(drawn).float().to(sweep.backbone.device)
    return weights


def shifted_contexts(weights: Weights, images: Tensor) -> Tensor:
    """The context of each image (R, B, M, W), from unit features (R, B, D)."""
    hidden = images @ weights["meta.first.weight"].mT + weights["meta.first.bias"][:, None]
    shift = F.relu(hidden) @ weights["meta.second.weight"].mT + weights["meta.second.bias"][:, None]
    return weights["context"][:, None] + shift[:, :, None]


def tune(sweep: SweepData) -> list[TunedRun]:
    """Train one context and one network per run."""
    scale = sweep.backbone.logit_scale
    weights = initial_weights(sweep)
    length = weights["context"].shape[1]
    prompts = context_prompts(sweep.backbone.tokenizer, sweep.class_names, length)
    encoder = PromptEncoder(sweep.backbone.tower, [prompt.tokens for prompt in prompts])

    def class_logits(weights: Weights, features: Tensor) -> Tensor:
        images = F.normalize(features, dim=-1)
        contexts = shifted_contexts(weights, images)
        classes = F.normalize(encoder(contexts.flatten(0, 1)), dim=-1)  # (R B, C, D)
        scores = classes @ images.flatten(0, 1)[..., None]
        by_run: Tensor = scores[..., 0].unflatten(0, images.shape[:2])
        return scale * by_run

    weights = {name: value.clone().requires_grad_() for name, value in weights.items()}
    histories = train_sweep(sweep, weights, class_logits)
    trained = [
        {name: value[run].detach() for name, value in weights.items()}
        for run in range(len(sweep.seeds))
    ]

    @torch.inference_mode()
    def test_logits(own: Weights) -> Tensor:
        one = {name: value[None] for name, value in own.items()}
        parts = sweep.test_features.split(TOGETHER)
        return torch.cat([class_logits(one, part[None])[0] for part in parts])

    return [
        TunedRun(own, history, test_logits(own))
        for own, history in zip(trained, histories, strict=True)
    ]
