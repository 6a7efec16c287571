"""Zero-shot accuracy and confusion with prompts of random context tokens."""

import numpy as np
import torch

from ptnl.bench.reference import PlainPrompts
from ptnl.methods.prompt import CONTEXT_STD
from ptnl.methods.random_prompt import random_prompts
from ptnl.training.tuning import initial_normal

CLASSES = ["cat", "dog", "tree"]
DRAWS, CONTEXT = 12, 4


def test_random_prompts_equal_those_of_the_plain_tower(tiny_backbone):
    stream = torch.Generator().manual_seed(0)
    features = torch.randn(30, 16, generator=stream)
    labels = torch.randint(3, (30,), generator=stream)
    accuracy, confusion = random_prompts(tiny_backbone, features, labels, CLASSES, CONTEXT, DRAWS)
    expected, counts = [], np.zeros((3, 3))
    plain = PlainPrompts(tiny_backbone.model, tiny_backbone.tokenizer, CLASSES, CONTEXT)
    width = tiny_backbone.model.token_embedding.embedding_dim
    for seed in range(DRAWS):
        context = initial_normal("context", (CONTEXT, width), CONTEXT_STD, seed)
        classes = plain(context)
        images = torch.nn.functional.normalize(features, dim=-1)
        predicted = (images @ torch.nn.functional.normalize(classes, dim=-1).T).argmax(dim=1)
        expected.append(100 * (predicted == labels).double().mean().item())
        np.add.at(counts, (labels.numpy(), predicted.numpy()), 1)
    np.testing.assert_allclose(accuracy, expected)
    np.testing.assert_allclose(confusion, 100 * counts / counts.sum(axis=1, keepdims=True))
