"""CoCoOp, compared with a plain network and encoder that take one image at a time."""

import torch
import torch.nn.functional as F
from torch import nn

from ptnl.methods import cocoop
from ptnl.text import PromptEncoder, context_prompts
from ptnl.training.epochs import batch_order
from ptnl.training.optim import learning_rates
from ptnl.training.tuning import cosine_logits
from tests.unit.reference import CLASSES, SGD, noisy_toy, single, tune

SETTINGS = {**SGD, "epochs": 2, "batch_size": 1, "learning_rate": 0.01}


def encoder_of(backbone) -> PromptEncoder:
    prompts = context_prompts(backbone.tokenizer, CLASSES, 4)
    return PromptEncoder(backbone.tower, [prompt.tokens for prompt in prompts])


def plain_network(weights: dict, run: int) -> nn.Sequential:
    """The meta-network of a run, made of torch's own layers."""
    own = {name: value[run] for name, value in weights.items()}
    hidden, dimensions = own["meta.first.weight"].shape
    network = nn.Sequential(
        nn.Linear(dimensions, hidden), nn.ReLU(), nn.Linear(hidden, own["context"].shape[1])
    )
    with torch.no_grad():
        for layer, name in ((network[0], "first"), (network[2], "second")):
            layer.weight.copy_(own[f"meta.{name}.weight"])
            layer.bias.copy_(own[f"meta.{name}.bias"])
    return network


def plain_logits(backbone, encoder, context, network, feature) -> torch.Tensor:
    """Logits (C) of one image."""
    image = F.normalize(feature, dim=-1)
    tokens = context + network(image)  # the same shift for every token
    return cosine_logits(image[None], encoder(tokens[None])[0], backbone.logit_scale)[0]


def test_fused_runs_equal_the_plain_ones(tiny_backbone):
    sweep = noisy_toy("cocoop", tiny_backbone, **SETTINGS)
    start = cocoop.initial_weights(sweep)
    encoder = encoder_of(tiny_backbone)
    for run, trained in enumerate(tune(sweep)):
        one = single(sweep, run)
        context = start["context"][run].clone().requires_grad_()
        network = plain_network(start, run)
        optimiser = torch.optim.SGD(
            [context, *network.parameters()], lr=1, momentum=0.9, weight_decay=5e-4
        )
        order = batch_order(one.seeds[0], 24, 1, 2)
        for epoch, rate in enumerate(learning_rates(2, 0.01, 1, 1e-3)):
            optimiser.param_groups[0]["lr"] = rate
            for image in order[epoch, :, 0]:
                feature, label = one.features[0, image], one.labels[0, image]
                logits = plain_logits(tiny_backbone, encoder, context, network, feature)
                optimiser.zero_grad()
                F.cross_entropy(logits[None], label[None]).backward()
                optimiser.step()
        torch.testing.assert_close(
            trained.weights["context"], context.detach(), rtol=1e-5, atol=1e-5
        )
        torch.testing.assert_close(
            trained.weights["meta.second.weight"],
            network[2].weight.detach(),
            rtol=1e-5,
            atol=1e-5,
        )
        expected = torch.stack(
            [
                plain_logits(tiny_backbone, encoder, context, network, feature).detach()
                for feature in one.test_features
            ]
        )
        torch.testing.assert_close(trained.test_logits, expected, rtol=1e-4, atol=1e-3)


def test_the_context_starts_as_a_photo_of_a(tiny_backbone):
    weights = cocoop.initial_weights(noisy_toy("cocoop", tiny_backbone, **SETTINGS))
    tokens = tiny_backbone.tokenizer.encode("a photo of a")
    expected = tiny_backbone.model.token_embedding.weight[tokens]
    assert torch.equal(weights["context"], expected.expand(3, -1, -1))
    bound = 16**-0.5  # the layer has 16 inputs
    assert weights["meta.first.weight"].abs().max() <= bound
    assert not torch.equal(weights["meta.first.weight"][0], weights["meta.first.weight"][1])


def test_without_a_shift_all_images_share_the_context(tiny_backbone):
    """A zero last layer makes CoCoOp plain prompt tuning."""
    sweep = noisy_toy("cocoop", tiny_backbone, **SETTINGS)
    weights = cocoop.initial_weights(sweep)
    for name in ("meta.second.weight", "meta.second.bias"):
        weights[name] = torch.zeros_like(weights[name])
    contexts = cocoop.shifted_contexts(weights, F.normalize(sweep.features, dim=-1))
    assert torch.equal(contexts, weights["context"][:, None].expand_as(contexts))


def test_an_image_does_not_depend_on_the_others(tiny_backbone, monkeypatch):
    sweep = noisy_toy("cocoop", tiny_backbone, **SETTINGS)
    together = tune(sweep)
    monkeypatch.setattr(cocoop, "TOGETHER", 1)
    for whole, chunked in zip(together, tune(sweep), strict=True):
        torch.testing.assert_close(whole.test_logits, chunked.test_logits, rtol=1e-4, atol=1e-4)
