"""A training step as a study computes it, to be timed: as it comes, or as a CUDA graph."""

from collections.abc import Callable
from dataclasses import replace

import torch

from ptnl.backbones.loading import LoadedBackbone
from ptnl.bench.measure import CONTEXT_STD, Setting, class_names
from ptnl.text import PromptEncoder, context_prompts
from ptnl.training.losses import cross_entropy
from ptnl.training.tuning import cosine_logits

WARM_UP = 3  # steps before a graph is captured: libraries choose their algorithms in them


def repeated_step(
    backbone: LoadedBackbone, classes: int, runs: int, dtype: torch.dtype
) -> Callable[[], None]:
    """A step of prompt tuning of R runs on one batch, whose products are in `dtype`."""
    setting = Setting()
    names = class_names(backbone.tokenizer, classes)
    tower = replace(backbone.tower, dtype=dtype)
    prompts = context_prompts(backbone.tokenizer, names, setting.context_length)
    encoder = PromptEncoder(tower, [prompt.tokens for prompt in prompts])
    device, scale = backbone.device, backbone.logit_scale
    context = torch.randn(runs, setting.context_length, tower.width, device=device)
    context = (CONTEXT_STD * context).requires_grad_()
    momentum = torch.zeros_like(context)
    features = torch.randn(runs, setting.batch_size, tower.dimensions, device=device)
    labels = torch.randint(classes, features.shape[:2], device=device)

    def step() -> None:
        logits = cosine_logits(features, encoder(context), scale)
        loss = cross_entropy(logits, labels).mean(dim=1).sum()
        (gradient,) = torch.autograd.grad(loss, context)
        with torch.no_grad():
            momentum.mul_(0.9).add_(gradient).add_(context, alpha=5e-4)
            context.add_(momentum, alpha=-1e-6)

    return step


def graphed_step(
    backbone: LoadedBackbone, classes: int, runs: int, dtype: torch.dtype
) -> Callable[[], None]:
    """The same step, captured once and replayed: the host launches one graph, not each kernel."""
    step = repeated_step(backbone, classes, runs, dtype)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay
