"""The parts of `ptnl adapt` and `ptnl audit`, each tested by itself."""

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from ptnl.errors import InputError
from ptnl.own.adaptation import _fold_of_first
from ptnl.own.decisions import corrected, read_decisions
from ptnl.own.duplicates import conflicting, duplicate_pairs, groups
from ptnl.own.experts import (
    cross_fitted_residual,
    fit_residual,
    nearest_neighbours,
    neighbour_votes,
    soft_cross_entropy,
)
from ptnl.own.findings import effort, look_order, transitions
from ptnl.own.folds import draw_per_class, stratified_folds
from ptnl.own.metrics import accuracy_gain, quality
from ptnl.own.names import Classes
from ptnl.own.noise_model import (
    confusions,
    fit_noise,
    label_likelihoods,
    posteriors,
    rate_interval,
)
from ptnl.own.prompts import (
    SETTINGS,
    RunPlan,
    cross_fitted,
    equal_sized,
    label_margins,
    settings_for,
    train,
)


@given(
    labels=st.lists(st.integers(0, 4), min_size=2, max_size=60),
    folds=st.integers(2, 5),
    seed=st.integers(0, 9),
)
@settings(max_examples=50)
def test_folds_spread_every_class_evenly(labels, folds, seed):
    labels = np.array(labels)
    fold = stratified_folds(labels, folds, seed)
    for label in np.unique(labels):
        counts = np.bincount(fold[labels == label], minlength=folds)
        assert counts.max() - counts.min() <= 1


def test_a_draw_has_as_many_images_of_each_class_as_asked_for():
    labels = np.array([0] * 10 + [1] * 3)
    rows = np.arange(1, 13)
    drawn = draw_per_class(labels, rows, 5, 1, 0)
    assert np.bincount(labels[drawn]).tolist() == [5, 3]
    assert set(drawn) <= set(rows)
    assert len(set(drawn)) == len(drawn)
    assert not np.array_equal(drawn, draw_per_class(labels, rows, 5, 2, 0))


def simulated(images=4000, classes=8, uniform=0.0, confused=0.0, seed=0):
    """Beliefs, true classes drawn from them, and labels with both kinds of the model's noise."""
    stream = np.random.default_rng(seed)
    logits = stream.normal(0, 2.5, (images, classes))
    beliefs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    true = (beliefs.cumsum(axis=1) > stream.random((images, 1))).argmax(axis=1)
    labels, kind = true.copy(), stream.random(images)
    for row in np.flatnonzero(kind < uniform):
        labels[row] = (true[row] + stream.integers(1, classes)) % classes
    for row in np.flatnonzero((kind >= uniform) & (kind < uniform + confused)):
        others = beliefs[row].copy()
        others[true[row]] = 0
        labels[row] = stream.choice(classes, p=others / others.sum())
    return beliefs, np.log(beliefs), true, labels


@pytest.mark.parametrize(("uniform", "confused"), [(0, 0), (0.2, 0), (0, 0.2), (0.15, 0.25)])
def test_the_shares_of_noise_are_estimated_without_true_labels(uniform, confused):
    beliefs, resemblance, true, labels = simulated(uniform=uniform, confused=confused)
    noise = fit_noise(beliefs, resemblance, labels)
    assert noise.uniform == pytest.approx(uniform, abs=0.04)
    assert noise.confused == pytest.approx(confused, abs=0.04)
    assert noise.right + noise.rate == pytest.approx(1)
    low, high = rate_interval(beliefs, resemblance, labels, noise)
    assert low - 0.01 <= (labels != true).mean() <= high + 0.01
    assert 0 < high - low < 0.15


def test_posteriors_are_calibrated():
    beliefs, resemblance, true, labels = simulated(uniform=0.15, confused=0.25)
    noise = fit_noise(beliefs, resemblance, labels)
    posterior = posteriors(beliefs, label_likelihoods(noise, resemblance, labels))
    assert np.allclose(posterior.sum(axis=1), 1)
    right = posterior[np.arange(len(labels)), labels]
    is_right = labels == true
    for low, high in ((0, 0.2), (0.4, 0.6), (0.8, 1)):
        within = (right >= low) & (right <= high)
        assert is_right[within].mean() == pytest.approx(right[within].mean(), abs=0.06)


def test_confusions_are_shares_among_the_other_classes():
    resemblance = np.log([[0.5, 0.3, 0.2]])
    taken = confusions(resemblance, np.array([1]), 1.0)
    assert np.allclose(taken, [[0.3 / 0.5, 0, 0.3 / 0.8]])
    assert confusions(resemblance, np.array([1]), 4.0)[0, 0] > taken[0, 0]


def test_neighbours_are_the_most_similar_others():
    unit = F.normalize(torch.randn(300, 8, generator=torch.Generator().manual_seed(0)), dim=-1)
    positions, similarities = nearest_neighbours(unit, 5)
    for row in (0, 17, 299):
        similar = unit @ unit[row]
        similar[row] = -2
        assert positions[row].tolist() == similar.topk(5).indices.tolist()
    assert np.allclose(similarities[0], (unit[positions[0]] @ unit[0]).numpy(), atol=1e-6)
    votes = neighbour_votes(positions, np.eye(2)[np.arange(300) % 2])
    assert np.allclose(votes.sum(axis=1), 1)
    assert votes[0].argmax() == int((positions[0] % 2).mean() > 0.5)


def two_clusters(images=200, seed=0):
    stream = torch.Generator().manual_seed(seed)
    labels = torch.arange(images) % 2
    centres = torch.tensor([[1.0, 0, 0, 0], [0, 1.0, 0, 0]])
    noise = 0.4 * torch.randn(images, 4, generator=stream)
    return F.normalize(centres[labels] + noise, dim=-1), labels.numpy()


def test_the_residual_classifier_minimises_its_objective():
    features, labels = two_clusters()
    targets = torch.eye(2)[torch.from_numpy(labels)].double()
    base = torch.zeros(len(labels), 2)
    weights, gain = fit_residual(features, base, soft_cross_entropy(targets))

    def objective(weights):
        logits = features.double() @ weights.T
        losses = soft_cross_entropy(targets)(logits)
        return losses.sum() + weights.square().sum() / (2 * 30)

    best = objective(weights)
    for seed in range(5):
        stream = torch.Generator().manual_seed(seed)
        other = weights + 0.05 * torch.randn(weights.shape, generator=stream, dtype=torch.float64)
        assert objective(other) > best
    assert gain == 1  # the base is zero, so its gain has no effect and stays


def test_no_image_is_judged_by_its_own_label():
    features, labels = two_clusters()
    targets = torch.eye(2)[torch.from_numpy(labels)].double()
    fold = stratified_folds(labels, 5, 0)
    base = torch.zeros(len(labels), 2)
    judged = cross_fitted_residual(features, base, targets, fold)
    assert (judged.argmax(axis=1) == labels).mean() > 0.9
    turned = targets.clone()
    turned[fold == 2] = 1 - turned[fold == 2]
    again = cross_fitted_residual(features, base, turned, fold)
    assert np.array_equal(judged[fold == 2], again[fold == 2])
    assert not np.allclose(judged[fold != 2], again[fold != 2])


def test_equal_and_nearly_equal_images_are_pairs():
    digests = [b"a", b"b", b"a", b"c", b"d"]
    thumbnails = np.zeros((5, 16, 16), np.uint8)
    thumbnails[3] += 1
    thumbnails[4] += 100
    neighbours = np.array([[2], [3], [0], [1], [1]])
    similarities = np.full((5, 1), 0.999)
    pairs = duplicate_pairs(digests, thumbnails, neighbours, similarities)
    found = {tuple(row) for row in pairs.itertuples(index=False)}
    assert found == {(0, 2, "same file"), (1, 3, "nearly equal")}
    group = groups(pairs, 5)
    disagree = conflicting(group, np.array([0, 1, 1, 1, 0]))
    assert disagree.tolist() == [True, False, True, False, False]


def test_conflicts_are_reviewed_first_and_then_doubtful_labels():
    right = np.array([0.9, 0.1, 0.5, 0.99])
    conflicts = np.array([False, False, False, True])
    assert look_order(right, conflicts).tolist() == [3, 1, 2, 0]
    curve = effort(right, conflicts)
    assert curve.images.tolist() == [1, 2, 3, 4]
    assert curve.expected_finds.tolist() == [0.0, 0.9, 1.4, 1.5]


def test_transitions_count_the_believed_classes():
    labels = np.array([0] * 10 + [1] * 10)
    posterior = np.zeros((20, 2))
    posterior[:10, 0] = posterior[14:, 1] = 1
    posterior[10:14, 0] = 1  # four images of class 0 with the label of class 1
    (row,) = transitions(posterior, labels, ["cat", "dog"]).itertuples()
    assert (row.true_class, row.given_label, row.images) == ("cat", "dog", 4)
    assert row.low < row.share == round(4 / 14, 4) < row.high


def test_quality_equals_values_computed_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.2, 0.8]])
    found = quality(probabilities, np.array([0, 1, 1, 1]))
    assert found.top1 == 75
    assert found.macro_recall == pytest.approx(100 * (1 + 2 / 3) / 2)
    gaps = [0.1, 0.6, 0.3, 0.2]  # each image is in a separate bin
    assert found.calibration_error == pytest.approx(100 * np.mean(gaps))
    gain, low, high = accuracy_gain(probabilities, probabilities[:, ::-1], np.array([0, 1, 1, 1]))
    assert gain == 50
    assert low < gain < high


def test_margins_equal_values_computed_by_hand():
    probabilities = np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2]])
    assert np.allclose(label_margins(probabilities, np.array([0, 1])), [0.5, -0.2])


def test_the_learning_rate_follows_the_logit_scale():
    assert settings_for(100)["learning_rate"] == SETTINGS["learning_rate"]
    assert settings_for(50)["learning_rate"] == 4 * SETTINGS["learning_rate"]


def test_runs_of_unequal_size_are_cut_to_the_smallest():
    plans = [RunPlan(1, np.arange(10), np.array([])), RunPlan(2, np.arange(7), np.array([]))]
    first, second = equal_sized(plans)
    assert len(first.rows) == len(second.rows) == 7
    assert set(first.rows) < set(range(10))


def test_prompts_judge_only_images_that_they_have_not_seen(tiny_backbone, monkeypatch):
    monkeypatch.setitem(SETTINGS, "epochs", 3)
    classes = Classes.of(["cat", "dog", "owl"])
    stream = torch.Generator().manual_seed(0)
    features = F.normalize(torch.randn(30, 16, generator=stream), dim=-1)
    labels = np.arange(30) % 3
    found = cross_fitted(tiny_backbone, classes, features, labels, 3, (1, 2), shots=4)
    assert found.log_probabilities.shape == (30, 3)
    assert np.isfinite(found.margins).all()
    assert (np.abs(found.margins) <= 1).all()
    # Another first image changes the prompts of the other folds, but not those of its own. Large
    # steps make that visible in a few epochs.
    monkeypatch.setitem(SETTINGS, "learning_rate", 1.0)
    other = features.clone()
    other[0] = -other[0]
    judged = [
        cross_fitted(tiny_backbone, classes, given, labels, 3, (1,), shots=10).log_probabilities
        for given in (features, other)
    ]
    changed = ~np.isclose(*judged, rtol=0, atol=1e-6).all(axis=1)
    fold = stratified_folds(labels, 3, 1)
    assert set(np.flatnonzero(changed)) == {0, *np.flatnonzero(fold != fold[0])}


def test_training_reports_the_embeddings_of_every_epoch(tiny_backbone, monkeypatch):
    monkeypatch.setitem(SETTINGS, "epochs", 3)
    classes = Classes.of(["cat", "dog", "owl"])
    stream = torch.Generator().manual_seed(0)
    features = F.normalize(torch.randn(30, 16, generator=stream), dim=-1)
    labels = np.arange(30) % 3
    epochs = []
    plans = [RunPlan(1, np.arange(12), np.array([]))]
    train(tiny_backbone, classes, features, labels, plans, epochs.append)
    assert len(epochs) == 3
    assert not torch.equal(epochs[0], epochs[2])
    assert torch.allclose(epochs[0].norm(dim=-1), torch.ones(1, 3))


LABELS = {"a.png": "cat", "b.png": "dog", "c.png": "cat", "d.png": "cat"}


def test_decisions_are_applied_to_a_copy(tmp_path):
    path = tmp_path / "decisions.csv"
    path.write_text(
        "image,label,decision,new_label\n"
        "a.png,cat,suggestion,dog\nb.png,dog,drop,\nc.png,cat,keep,\nd.png,cat,unsure,\n"
    )
    decisions = read_decisions(path, LABELS, ["cat", "dog"])
    before = dict(LABELS)
    assert corrected(LABELS, decisions) == {"a.png": "dog", "c.png": "cat", "d.png": "cat"}
    assert before == LABELS


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("x.png,cat,keep,", "names 'x.png', which is not in the audit"),
        ("a.png,dog,keep,", "belongs to another audit"),
        ("a.png,cat,eat,", "decides 'eat'"),
        ("a.png,cat,other,cow", "gives the label 'cow'"),
        ("a.png,cat,keep,\na.png,cat,drop,", "a second time"),
    ],
)
def test_wrong_decisions_are_refused(tmp_path, row, sentence):
    path = tmp_path / "decisions.csv"
    path.write_text(f"image,label,decision,new_label\n{row}\n")
    with pytest.raises(InputError, match=sentence):
        read_decisions(path, LABELS, ["cat", "dog"])


def test_decisions_without_a_column_are_refused(tmp_path):
    path = tmp_path / "decisions.csv"
    path.write_text("image,label,new_label\na.png,cat,\n")
    with pytest.raises(InputError, match=r"decisions\.csv: misses the column decision"):
        read_decisions(path, LABELS, ["cat", "dog"])


def test_copies_of_an_image_are_in_the_same_fold():
    assert _fold_of_first(np.array([0, 1, 2, 1]), np.array([0, 1, 0, 2])).tolist() == [0, 1, 0, 1]


def test_without_pairs_every_image_is_its_own_group():
    no_pairs = pd.DataFrame({"first": [], "second": []}, dtype=int)
    assert groups(no_pairs, 3).tolist() == [0, 1, 2]
