"""Every method learns a toy problem, trains what it should, and gives the same numbers twice."""

from dataclasses import replace

import pytest
import torch

from ptnl.methods import METHODS
from ptnl.training.tuning import SweepData, top1_accuracy
from tests.unit.reference import CLASSES, tune

SGD = {
    "epochs": 12,
    "batch_size": 16,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "warmup_epochs": 1,
    "warmup_learning_rate": 1e-5,
}
LOSS = {"q": 0.7, "p_epsilon": 0.0, "alpha": 6.0, "beta": 0.1}  # of robust losses
TRANSPORT = {"ot_cost": "linear", "ot_regularisation": 0.01}
SETTINGS = {
    "prompt": {**SGD, "context_length": 4, "learning_rate": 0.3},
    "full_prompt": {**SGD, "context_length": 4, "learning_rate": 0.3},
    "joapr": {
        **SGD,
        **{"split_after": 1, "alpha1": 0.5, "alpha2": 1.0, "sharpening": 2.0},
        "context_length": 4,
        "learning_rate": 0.3,
    },
    "proda": {
        **SGD,
        **{"context_length": 4, "prompts": 8, "prompts_together": 4, "alpha": 0.1},
        **{"epochs": 4, "learning_rate": 0.3},
    },
    "cocoop": {**SGD, "epochs": 2, "learning_rate": 0.01},
    "tip_adapter": {},
    "lp_plus_plus": {"iterations": 20},
    "clap": {**SGD, "learning_rate": 0.1},
    "co_teaching": {**SGD, "learning_rate": 1.0, "forget_rate": 0.2, "gradual_epochs": 3},
    "early_learning": {
        **SGD,
        **{"learning_rate": 1.0, "target_momentum": 0.9, "regularisation": 7.0},
    },
    "nlprompt": {**SGD, **TRANSPORT, "context_length": 4, "learning_rate": 0.3},
    "tecoprompt": {**SGD, **TRANSPORT, "context_length": 4, "learning_rate": 0.3},
    "cls_tuning": {**SGD, "learning_rate": 0.3},
    "text_finetune": {**SGD, "epochs": 40, "learning_rate": 0.05},
    "classifier": {**SGD, "learning_rate": 1.0},
    "linear_probe": {"c": 1.0, "max_iterations": 100, "drop_last": 0},
    "linear_probe_sgd": {**SGD, "learning_rate": 0.1},
}
# These are compared with plain references, in tests of their own, so learning is not tested here.
REFERENCED = {
    *("nlprompt", "tecoprompt", "joapr", "proda", "cocoop"),
    *("tip_adapter", "lp_plus_plus", "clap", "co_teaching", "early_learning"),
}
# Parameters of a layer of the tiny text tower: attention, two layer norms, the MLP's two layers.
LAYER = (4 * 32 * 32 + 4 * 32) + 4 * 32 + (4 * 32 + 1) * 32 + (32 + 1) * 4 * 32
# How many numbers each module trains. There are 4 context tokens of 32 dimensions, and each of the
# 4 class names is one token. Of the text tower, "a photo of a cat." uses 8 positions, the 4 prompts
# use 10 different tokens; its 3 layers, last norm and projection are trained whole.
PARAMETERS = {
    "prompt": 4 * 32,
    "nlprompt": 4 * 32,
    "joapr": 4 * 32,
    "cocoop": 4 * 32 + (16 + 1) * 1 + (1 + 1) * 32,
    "proda": 8 * 4 * 32,
    "tip_adapter": 32 * 16,  # one key per image
    "lp_plus_plus": 4 * 16 + 4 + 4,
    "clap": 4 * 16,
    "co_teaching": 2 * 4 * 16,
    "early_learning": 4 * 16,
    "tecoprompt": 4 * 32,
    "full_prompt": (4 + 4) * 32,
    "cls_tuning": 4 * 32,
    "text_finetune": (8 + 10) * 32 + 3 * LAYER + 2 * 32 + 32 * 16,
    "classifier": 4 * 16,  # one embedding per class
    "linear_probe": 4 * 16 + 4,  # a row and a bias per class
    "linear_probe_sgd": 4 * 16 + 4,
}
TRAINED = [
    name
    for name, method in METHODS.items()
    if method.is_trained and method.trains_on == "features" and name != "prompt_ctx0"
]


def toy(name: str, backbone, **changes) -> SweepData:
    """Two runs; 8 images of each class lie around the class's own centre, all labels are right."""
    stream = torch.Generator().manual_seed(0)
    centres = 3 * torch.randn(4, 16, generator=stream)
    labels = torch.arange(4).repeat_interleave(8).expand(2, -1)
    features = centres[labels] + 0.3 * torch.randn(2, 32, 16, generator=stream)
    method = METHODS[name]
    return SweepData(
        method=method,
        settings={**LOSS, **SETTINGS[method.module], **changes},
        backbone=backbone,
        class_names=CLASSES,
        template="a photo of a {}.",
        seeds=[1, 2],
        features=features,
        labels=labels,
        labels_clean=labels,
        test_features=centres,
    )


@pytest.mark.parametrize("name", TRAINED)
def test_a_method_learns_trains_its_parameters_and_repeats_its_numbers(name, tiny_backbone):
    sweep = toy(name, tiny_backbone)
    first, second = tune(sweep), tune(sweep)
    for run, again in zip(first, second, strict=True):
        assert run.parameters == PARAMETERS[sweep.method.module]
        assert torch.equal(run.test_logits, again.test_logits)
        assert run.test_logits.shape == (4, 4)
        assert run.history.equals(again.history)
    if sweep.method.module in REFERENCED:
        return
    if "prompt" in sweep.method.module:  # a random tower may be unable to separate all classes
        assert first[0].history.loss.iloc[-1] < first[0].history.loss.iloc[0]
    else:
        assert top1_accuracy(first[0].test_logits, torch.arange(4)) == 100


def test_a_prompt_without_context_trains_nothing(tiny_backbone):
    from ptnl.methods.zero_shot import zero_shot_logits

    sweep = replace(toy("prompt_ctx0", tiny_backbone), settings={"context_length": 0})
    (run, _) = tune(sweep)
    assert run.parameters == 0
    expected = zero_shot_logits(tiny_backbone, sweep.test_features, CLASSES, "{}.")
    torch.testing.assert_close(run.test_logits, expected)
    (row,) = run.history.itertuples()
    logits = zero_shot_logits(tiny_backbone, sweep.features[0], CLASSES, "{}.")
    loss = torch.nn.functional.cross_entropy(logits, sweep.labels[0])
    assert row.loss == pytest.approx(loss.item(), rel=1e-5)
    assert row.accuracy_true == pytest.approx(top1_accuracy(logits, sweep.labels[0]))
    assert (row.learning_rate, row.gradient_norm) == (0, 0)


def test_the_class_token_position_matters(tiny_backbone):
    end, middle = (
        tune(toy("prompt_ce", tiny_backbone, class_token_position=position))[0]
        for position in ("end", "middle")
    )
    assert middle.history.loss.iloc[-1] < middle.history.loss.iloc[0]
    assert not torch.allclose(end.test_logits, middle.test_logits, atol=1e-3)


@pytest.mark.parametrize("name", ["cls_tuning", "text_finetune"])
def test_training_starts_from_the_hand_crafted_prompt(name, tiny_backbone):
    from ptnl.methods.zero_shot import zero_shot_logits

    sweep = toy(name, tiny_backbone, learning_rate=1e-30, warmup_learning_rate=0.0)
    expected = zero_shot_logits(tiny_backbone, sweep.test_features, CLASSES, sweep.template)
    torch.testing.assert_close(tune(sweep)[0].test_logits, expected, rtol=1e-4, atol=1e-4)


def test_drop_last_leaves_out_the_shots_of_the_last_batch(tiny_backbone):
    """A fit on the remaining shots equals the fit with `drop_last`; seeds leave out other shots."""
    from ptnl.methods.linear_probe import in_whole_batches

    sweep = toy("linear_probe", tiny_backbone, drop_last=10)
    kept = in_whole_batches(sweep, 10)
    assert kept.features.shape == (2, 30, 16)
    assert kept.labels.shape == kept.labels_clean.shape == (2, 30)
    for run in range(2):
        shots = {
            (tuple(x.tolist()), y.item())
            for x, y in zip(sweep.features[run], sweep.labels[run], strict=True)
        }
        left = {
            (tuple(x.tolist()), y.item())
            for x, y in zip(kept.features[run], kept.labels[run], strict=True)
        }
        assert left < shots
    assert not torch.equal(kept.labels[0], kept.labels[1])
    whole = replace(kept, settings={**kept.settings, "drop_last": 0})
    for ours, expected in zip(tune(sweep), tune(whole), strict=True):
        torch.testing.assert_close(ours.test_logits, expected.test_logits)
    assert in_whole_batches(sweep, 33) is sweep  # the only batch is not full, and is kept
    assert in_whole_batches(sweep, 0) is sweep


@pytest.mark.parametrize("scale", [0.01, 30.0])
def test_the_probe_by_sgd_does_not_depend_on_the_scale_of_the_features(tiny_backbone, scale):
    sweep = toy("linear_probe_sgd", tiny_backbone)
    scaled = replace(
        sweep, features=scale * sweep.features, test_features=scale * sweep.test_features
    )
    for run, other in zip(tune(sweep), tune(scaled), strict=True):
        torch.testing.assert_close(run.test_logits, other.test_logits, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(
            run.weights["weight"], scale * other.weights["weight"], rtol=1e-3, atol=1e-3
        )
        torch.testing.assert_close(
            sweep.test_features @ run.weights["weight"].T + run.weights["bias"], run.test_logits
        )


def test_classifiers_start_from_text_embeddings_or_at_random(tiny_backbone):
    from ptnl.methods.classifier import initial_classifier
    from ptnl.methods.zero_shot import class_embeddings

    text = class_embeddings(tiny_backbone, CLASSES, "a photo of a {}.")
    start = initial_classifier(toy("classifier_c", tiny_backbone))
    torch.testing.assert_close(start[0], torch.nn.functional.normalize(text, dim=-1))
    torch.testing.assert_close(start[0], start[1])
    random = initial_classifier(toy("classifier_r", tiny_backbone))
    torch.testing.assert_close(random.norm(dim=-1), torch.ones(2, 4))
    assert not torch.allclose(random[0], random[1])


def test_prompt_tuning_does_not_change_the_backbone(tiny_backbone):
    before = {k: v.clone() for k, v in tiny_backbone.model.state_dict().items()}
    tune(toy("prompt_ce", tiny_backbone))
    after = tiny_backbone.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
