"""`PromptClassifier` behaves as scikit-learn expects of a classifier, and learns."""

from unittest import SkipTest

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import estimator_checks_generator
from sklearn.utils.validation import validate_data

from ptnl import PromptClassifier
from ptnl.own import prompts
from ptnl.own.classifier import PromptClassifier as Implementation
from tests.own import TEMPLATE, icons

D = 128  # dimensions of mini-rn's features


class Projected(Implementation):
    """Takes features of any width, because scikit-learn's checks use two columns and more."""

    def _features(self, X, y):
        if y is None:
            X = validate_data(self, X, reset=False, dtype=np.float32)
        else:
            X, y = validate_data(self, X, y, dtype=np.float32)
        stream = np.random.default_rng(0)
        return torch.from_numpy(X @ stream.normal(size=(X.shape[1], D)).astype(np.float32)), y


# Checks that it cannot pass, and why.
EXCEPTIONS = {
    "check_classifiers_train": "the context is shared by all classes, and features are normalised:"
    " it cannot separate arbitrary clusters, whose names mean nothing",
}


@pytest.fixture
def short(monkeypatch):
    """Train for a few epochs only; what these tests check does not depend on the number."""
    monkeypatch.setitem(prompts.SETTINGS, "epochs", 2)


def test_it_passes_the_checks_of_scikit_learn(short):
    estimator = Projected(input="features", runs=1)
    failed = {}
    for _, check in estimator_checks_generator(estimator):
        name = check.func.__name__
        try:
            check(estimator)
        except SkipTest:
            continue
        except Exception as error:
            failed[name] = error
    assert set(failed) == set(EXCEPTIONS), failed


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("classifier")
    labels = icons(folder)
    return [str(folder / "images" / image) for image in labels.image], labels.label.to_numpy()


def test_it_learns_from_paths_and_predicts_pictures_too(own):
    paths, labels = own
    classifier = PromptClassifier(template=TEMPLATE, runs=1).fit(paths[::2], labels[::2])
    assert classifier.classes_.tolist() == sorted(set(labels))
    probabilities = classifier.predict_proba(paths[1::2])
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert classifier.score(paths[1::2], labels[1::2]) > 0.5
    pictures = [Image.open(path) for path in paths[1:9:2]]
    assert np.allclose(classifier.predict_proba(pictures), probabilities[:4], atol=1e-3)
    arrays = np.stack([np.array(picture.convert("RGBA")) for picture in pictures])
    with pytest.raises(ValueError, match="uint8 array"):
        classifier.predict(arrays)


def test_class_names_may_be_given_for_numbered_labels(own, short):
    paths, labels = own
    names, numbers = np.unique(labels, return_inverse=True)
    classifier = PromptClassifier(class_names=list(names), runs=1).fit(paths, numbers)
    assert set(classifier.predict(paths[:6])) <= set(range(6))
    with pytest.raises(ValueError, match="2 class_names for 6 classes"):
        PromptClassifier(class_names=["a", "b"]).fit(paths, numbers)


def test_it_can_be_cloned_and_searched(short):
    features = np.random.default_rng(0).normal(size=(24, D)).astype(np.float32)
    labels = np.array(["cat", "dog", "owl"] * 8)
    classifier = PromptClassifier(input="features", runs=1)
    assert clone(classifier).get_params() == classifier.get_params()
    search = GridSearchCV(classifier, {"shots": [2, 4]}, cv=2).fit(features, labels)
    assert search.best_params_["shots"] in (2, 4)
    again = clone(search.best_estimator_).fit(features, labels)
    assert np.array_equal(
        again.predict_proba(features), clone(again).fit(features, labels).predict_proba(features)
    )
