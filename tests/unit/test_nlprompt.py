"""NLPrompt and TecoPrompt, compared with plain references: one run, one batch at a time."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ptnl.methods import nlprompt, tecoprompt
from ptnl.training.epochs import permutations
from tests.unit.reference import PROMPT, PlainPrompt, noisy_toy, single, tune
from tests.unit.test_transport import brute_force

OT = {"ot_cost": "linear", "ot_regularisation": 0.05}
SETTINGS = {**PROMPT, **OT}


def coupling_of(plain: PlainPrompt, sweep) -> torch.Tensor:
    p = plain.logits(sweep.features[0]).detach().double().softmax(dim=-1)
    cost = -p if sweep.settings["ot_cost"] == "linear" else -p.log()
    return brute_force(cost, sweep.settings["ot_regularisation"], 1000)


def train_parts(plain, features, order, parts, labels) -> None:
    """Train with MAE on the batches of the last part, with CE on those of the others."""
    size = plain.settings["batch_size"]
    for number, part in enumerate(parts):
        images = [image for image in order if part[image]]
        for first in range(0, len(images) - size + 1, size):
            batch = images[first : first + size]
            logits, seen = plain.logits(features[batch]), labels[batch]
            p = logits.softmax(dim=-1)[range(size), seen]
            is_last = number == len(parts) - 1
            plain.step((1 - p).mean() if is_last else F.cross_entropy(logits, seen))


def reference_nlprompt(sweep) -> PlainPrompt:
    plain = PlainPrompt(sweep)
    order = permutations(sweep.seeds[0], sweep.labels.shape[1], sweep.settings["epochs"])
    for epoch in plain.epochs():
        clean = coupling_of(plain, sweep).argmax(dim=-1) == sweep.labels[0]
        train_parts(plain, sweep.features[0], order[epoch], [clean, ~clean], sweep.labels[0])
    return plain


def reference_tecoprompt(sweep) -> PlainPrompt:
    plain = PlainPrompt(sweep)
    samples = sweep.labels.shape[1]
    order = permutations(sweep.seeds[0], samples, sweep.settings["epochs"])
    labels = sweep.labels[0].clone()
    average, last, streak = None, [None] * samples, [0] * samples
    for epoch in plain.epochs():
        coupling = coupling_of(plain, sweep)
        classes = coupling.argmax(dim=-1)
        confidence = (coupling.max(dim=-1).values * samples).clamp(max=1)
        average = confidence if average is None else 0.8 * average + 0.2 * confidence
        for image in range(samples):
            same = classes[image].item() == last[image]
            sure = confidence[image] >= 0.99
            streak[image] = (streak[image] + 1 if same else 1) if sure else 0
            last[image] = classes[image].item()
            if streak[image] >= 8:
                labels[image] = last[image]
        clean = (average >= 0.8) & (classes == labels)
        between = (average >= 0.2) & (average < 0.8) & (classes == labels)
        if between.sum() < plain.settings["batch_size"]:
            clean, between = clean | between, between & False
        parts = [clean, between, ~(clean | between)]
        train_parts(plain, sweep.features[0], order[epoch], parts, labels)
    return plain


@pytest.mark.parametrize(
    ("name", "reference", "changes"),
    [
        ("nlprompt", reference_nlprompt, {}),
        ("nlprompt", reference_nlprompt, {"ot_cost": "log", "ot_regularisation": 0.5}),
        ("tecoprompt", reference_tecoprompt, {"epochs": 12}),
    ],
)
def test_fused_runs_equal_the_plain_ones(name, reference, changes, tiny_backbone):
    sweep = noisy_toy(name, tiny_backbone, **SETTINGS | changes)
    together = tune(sweep)
    for run, trained in enumerate(together):
        plain = reference(single(sweep, run))
        context = trained.weights["context"]
        torch.testing.assert_close(context, plain.context.detach(), rtol=1e-5, atol=1e-5)
        losses = [np.mean(epoch) for epoch in plain.losses]
        np.testing.assert_allclose(trained.history.loss, losses, rtol=1e-4, atol=1e-5)
    taken = torch.tensor([run.history.taken_as_clean.mean() for run in together])
    assert taken[0] > taken[2]  # the first run has no wrong label, half of the third's are wrong


def test_if_all_labels_are_taken_as_clean_nlprompt_is_prompt_tuning(tiny_backbone, monkeypatch):
    sweep = noisy_toy("nlprompt", tiny_backbone, **SETTINGS)
    sure = F.one_hot(sweep.labels, 4).double()
    monkeypatch.setattr(nlprompt, "transport", lambda *_: sure)
    plain = noisy_toy("prompt_ce", tiny_backbone, **PROMPT)
    for ours, theirs in zip(tune(sweep), tune(plain), strict=True):
        assert torch.equal(ours.weights["context"], theirs.weights["context"])
        assert (ours.history.taken_as_clean == 100).all()


def test_a_part_that_is_smaller_than_a_batch_gives_no_step(tiny_backbone):
    sweep = noisy_toy("nlprompt", tiny_backbone, **SETTINGS | {"batch_size": 16})
    steps_of = nlprompt.PartSteps(sweep, lambda features: features)
    clean = torch.zeros(3, 24, dtype=bool)
    clean[0, :15], clean[1, :20] = True, True
    (step,) = steps_of(0, [clean], sweep.labels)
    # Clean and other images: 15 and 9 give no batch of 16; 20 and 4 give one clean batch; 0 and 24
    # give one batch of the others.
    assert step.moves.tolist() == [False, True, True]
    assert clean[1, step.images[1]].all()


def test_the_split_uses_the_views_of_another_epoch_than_training(tiny_backbone):
    asked = []
    sweep = noisy_toy("nlprompt", tiny_backbone, **SETTINGS)

    def views(epoch: int) -> torch.Tensor:
        asked.append(epoch)
        return sweep.features

    tune(replace(sweep, views=views))
    assert asked == [1, 0, 2, 1, 3, 2, 4, 3]


def coupling_to(classes: list[int], confidence: float) -> torch.Tensor:
    """A coupling (1, N, 3) that gives each image to a class, with a confidence."""
    rest = (1 - confidence) / 2
    rows = torch.full((1, len(classes), 3), rest)
    rows[0, range(len(classes)), classes] = confidence
    return rows / len(classes)


def test_tecoprompt_rewrites_a_label_after_eight_sure_epochs():
    memory = tecoprompt.Memory(torch.tensor([[0, 0]]))
    for _ in range(7):
        memory.see(coupling_to([1, 2], 0.995))
    assert memory.labels.tolist() == [[0, 0]]
    # For the first image, this is the eighth epoch with the same class; the second changes.
    memory.see(coupling_to([1, 0], 0.995))
    assert memory.labels.tolist() == [[1, 0]]
    memory.see(coupling_to([2, 2], 0.5))  # the confidence is too low to change a label
    assert memory.labels.tolist() == [[1, 0]]


def test_tecoprompts_confidence_is_averaged_over_epochs():
    memory = tecoprompt.Memory(torch.tensor([[0, 1, 1]]))
    memory.see(coupling_to([0, 1, 2], 0.9))
    memory.see(coupling_to([0, 1, 2], 0.4))
    torch.testing.assert_close(memory.confidence, torch.full((1, 3), 0.8 * 0.9 + 0.2 * 0.4))
    clean, between = memory.parts(batch_size=2)
    assert clean.tolist() == [[False, False, False]]
    assert between.tolist() == [[True, True, False]]  # the coupling contradicts the third label
    clean, between = memory.parts(batch_size=3)  # fewer images than a batch count as clean
    assert clean.tolist() == [[True, True, False]]
    assert not between.any()


@pytest.mark.parametrize("name", ["nlprompt", "tecoprompt"])
def test_training_does_not_depend_on_the_true_labels(name, tiny_backbone):
    sweep = noisy_toy(name, tiny_backbone, **SETTINGS)
    other = replace(sweep, labels_clean=(sweep.labels_clean + 1) % 4)
    for ours, theirs in zip(tune(sweep), tune(other), strict=True):
        assert torch.equal(ours.weights["context"], theirs.weights["context"])
