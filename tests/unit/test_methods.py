"""Each method learns a toy, trains exactly what it should, and gives the same numbers twice."""

from importlib import import_module

import pytest
import torch

from ptnl.methods import METHODS
from ptnl.tuning import Sweep, top1_accuracy

CLASSES = ["cat", "dog", "tree", "house"]
SGD = {
    "epochs": 12,
    "batch_size": 16,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "warmup_epochs": 1,
    "warmup_learning_rate": 1e-5,
}
SETTINGS = {
    "prompt": {**SGD, "context_length": 4, "learning_rate": 0.3},
    "classifier": {**SGD, "learning_rate": 1.0},
    "linear_probe": {"c": 1.0, "max_iterations": 100},
}
# Trained numbers: 4 context tokens of 32; 4 embeddings of 16; 4 rows of 16 and a bias.
PARAMETERS = {"prompt": 4 * 32, "classifier": 4 * 16, "linear_probe": 4 * 16 + 4}
TRAINED = [n for n, m in METHODS.items() if m.is_trained and m.trains_on == "features"]


def toy(name: str, backbone) -> Sweep:
    """Two runs, 8 images a class around a direction of its own; no wrong labels."""
    stream = torch.Generator().manual_seed(0)
    centres = 3 * torch.randn(4, 16, generator=stream)
    labels = torch.arange(4).repeat_interleave(8).expand(2, -1)
    features = centres[labels] + 0.3 * torch.randn(2, 32, 16, generator=stream)
    method = METHODS[name]
    return Sweep(
        method=method,
        settings={**SETTINGS[method.module], "q": 0.7},
        backbone=backbone,
        class_names=CLASSES,
        template="a photo of a {}.",
        seeds=[1, 2],
        features=features,
        labels=labels,
        labels_clean=labels,
        test_features=centres,
    )


def tune(sweep: Sweep):
    return import_module(f"ptnl.methods.{sweep.method.module}").tune(sweep)


@pytest.mark.parametrize("name", TRAINED)
def test_method(name, tiny_backbone):
    sweep = toy(name, tiny_backbone)
    first, second = tune(sweep), tune(sweep)
    for run, again in zip(first, second, strict=True):
        assert run.parameters == PARAMETERS[sweep.method.module]
        assert torch.equal(run.test_logits, again.test_logits)
        assert run.test_logits.shape == (4, 4)
        assert run.history.equals(again.history)
    if sweep.method.module == "prompt":  # random towers cannot separate everything
        assert first[0].history.loss.iloc[-1] < first[0].history.loss.iloc[0]
    else:
        assert top1_accuracy(first[0].test_logits, torch.arange(4)) == 100


def test_classifiers_start_where_their_name_says(tiny_backbone):
    from ptnl.methods.classifier import initial_classifier
    from ptnl.methods.zero_shot import class_embeddings

    text = class_embeddings(tiny_backbone, CLASSES, "a photo of a {}.")
    start = initial_classifier(toy("classifier_c", tiny_backbone))
    torch.testing.assert_close(start[0], torch.nn.functional.normalize(text, dim=-1))
    torch.testing.assert_close(start[0], start[1])
    random = initial_classifier(toy("classifier_r", tiny_backbone))
    torch.testing.assert_close(random.norm(dim=-1), torch.ones(2, 4))
    assert not torch.allclose(random[0], random[1])


def test_the_backbone_stays_as_it_is(tiny_backbone):
    before = {k: v.clone() for k, v in tiny_backbone.model.state_dict().items()}
    tune(toy("prompt_ce", tiny_backbone))
    after = tiny_backbone.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
