"""Prompts of random context tokens, which show what class names alone achieve (Appendix B)."""

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ptnl.backbones.text import TextBackbone
from ptnl.methods.prompt import CONTEXT_STD
from ptnl.text import PromptEncoder, context_prompts
from ptnl.training.tuning import cosine_logits, initial_normal

TOGETHER = 10  # contexts encoded at once


@torch.inference_mode()
def random_prompts(
    backbone: TextBackbone,
    features: Tensor,
    labels: Tensor,
    class_names: list[str],
    context_length: int,
    draws: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Zero-shot classification with untrained contexts, drawn as prompt tuning initialises them.

    Draw i is the context that prompt tuning starts from with seed i.

    Parameters
    ----------
    features : (N, D) image features
    labels : (N) true classes
    class_names : C names
    context_length : tokens of a context
    draws : number of contexts

    Returns
    -------
    top-1 accuracies in percent (draws); mean confusion matrix (C, C), in percent of the images of
    the true class (row) that are predicted as another class (column)
    """
    prompts = context_prompts(backbone.tokenizer, class_names, context_length)
    encoder = PromptEncoder(backbone.tower, [prompt.tokens for prompt in prompts])
    width = backbone.tower.width
    classes = len(class_names)
    labels = labels.to(backbone.device)
    accuracy, counts = [], torch.zeros(classes * classes, device=backbone.device)
    for first in tqdm(range(0, draws, TOGETHER), unit=f"{TOGETHER} prompts", disable=None):
        seeds = range(first, min(first + TOGETHER, draws))
        contexts = torch.stack(
            [
                initial_normal("context", (context_length, width), CONTEXT_STD, seed)
                for seed in seeds
            ]
        ).to(backbone.device)
        logits = cosine_logits(features, encoder(contexts), backbone.logit_scale)  # (R, N, C)
        guess = logits.argmax(dim=-1)
        accuracy += (100 * (guess == labels).double().mean(dim=1)).tolist()
        counts += torch.bincount((labels * classes + guess).flatten(), minlength=classes**2)
    confusion = counts.reshape(classes, classes).double().cpu()
    return np.array(accuracy), (100 * confusion / confusion.sum(dim=1, keepdim=True)).numpy()
