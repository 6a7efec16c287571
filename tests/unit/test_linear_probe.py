"""The linear probe: the same optimum as scikit-learn's, for runs side by side and alone."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from ptnl.methods.linear_probe import fit, linear_logits
from ptnl.training.losses import LOSSES

GCE = {"q": 0.7, "p_epsilon": 0.0}


def blobs(spread: float) -> tuple[torch.Tensor, torch.Tensor]:
    """16 features around each of five centres, and their classes."""
    stream = torch.Generator().manual_seed(0)
    centres = torch.randn(5, 12, generator=stream)
    labels = torch.arange(5).repeat_interleave(16)
    return centres[labels] + spread * torch.randn(80, 12, generator=stream), labels


def embeddings() -> tuple[torch.Tensor, torch.Tensor]:
    """Two runs with features and labels like those of the study.

    Each class has 16 shots. Features are unit vectors around a common mean, and some directions
    vary much more than others. A quarter of the second run's labels is random.
    """
    stream = torch.Generator().manual_seed(0)
    spectrum = torch.logspace(0, -1.5, 48)
    labels = torch.arange(20).repeat_interleave(16).repeat(2, 1)
    centres = torch.randn(20, 48, generator=stream)
    features = centres[labels] + 1.5 * torch.randn(2, 320, 48, generator=stream)
    features = features * spectrum + 2 * torch.randn(48, generator=stream)
    labels[1, ::4] = torch.randint(0, 20, (80,), generator=stream)
    return torch.nn.functional.normalize(features, dim=-1), labels


@pytest.mark.parametrize("c", [1e3, 30.0])
def test_the_linear_probe_equals_scikit_learns(c):
    features, labels = embeddings()
    weights, bias, iterations = fit(features, labels, 20, LOSSES["ce"]({}), c, 1000)
    assert (iterations < 1000).all()
    mine = linear_logits(features.double(), weights, bias).softmax(dim=-1)
    for run in range(2):
        x = features[run].double().numpy()
        peer = LogisticRegression(C=c, tol=1e-9, max_iter=10_000).fit(x, labels[run])
        np.testing.assert_allclose(mine[run], peer.predict_proba(x), atol=1e-3)


def test_fewer_images_than_dimensions_give_scikit_learns_optimum():
    features, labels = embeddings()
    features, labels = features[:1, ::8], labels[:1, ::8]
    weights, bias, _ = fit(features, labels, 20, LOSSES["ce"]({}), 10.0, 1000)
    mine = linear_logits(features.double(), weights, bias).softmax(dim=-1)[0]
    x = features[0].double().numpy()
    peer = LogisticRegression(C=10.0, tol=1e-9, max_iter=10_000).fit(x, labels[0])
    np.testing.assert_allclose(mine, peer.predict_proba(x), atol=1e-3)


@pytest.mark.parametrize("loss", ["ce", "gce"])
def test_runs_side_by_side_equal_the_runs_alone(loss):
    features, labels = embeddings()
    fitted = fit(features, labels, 20, LOSSES[loss](GCE), 30.0, 1000)
    for run in range(2):
        part = slice(run, run + 1)
        alone = fit(features[part], labels[part], 20, LOSSES[loss](GCE), 30.0, 1000)
        for together, single in zip(fitted, alone, strict=True):
            torch.testing.assert_close(together[run], single[0], rtol=1e-4, atol=1e-4)


def test_gce_ignores_wrong_labels_that_ce_fits():
    features, labels = blobs(0.3)
    seen = labels.clone()
    seen[::4] = (seen[::4] + 1) % 5
    fitted = {}
    for loss in ("ce", "gce"):
        weights, bias, _ = fit(features[None], seen[None], 5, LOSSES[loss](GCE), 1.0, 1000)
        predictions = linear_logits(features.double(), weights, bias)[0].argmax(dim=1)
        fitted[loss] = (predictions == labels).double().mean().item()
    assert fitted["gce"] == 1.0 > fitted["ce"]
