import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from ptnl.losses import LOSSES
from ptnl.methods.linear_probe import fit


def blobs(spread: float) -> tuple[torch.Tensor, torch.Tensor]:
    stream = torch.Generator().manual_seed(0)
    centres = torch.randn(5, 12, generator=stream)
    labels = torch.arange(5).repeat_interleave(16)
    return centres[labels] + spread * torch.randn(80, 12, generator=stream), labels


def test_linear_probe_is_scikit_learns():
    features, labels = blobs(1.0)
    weights, bias, *_ = fit(features, labels, 5, LOSSES["ce"]({}), 1e3, 1000)
    mine = (features.double() @ weights.T + bias).softmax(dim=-1)
    peer = LogisticRegression(C=1e3, tol=1e-8, max_iter=10_000).fit(features.double(), labels)
    np.testing.assert_allclose(mine, peer.predict_proba(features.double()), atol=1e-3)


def test_gce_ignores_wrong_labels_that_ce_fits():
    features, labels = blobs(0.3)
    seen = labels.clone()
    seen[::4] = (seen[::4] + 1) % 5
    fitted = {}
    for loss in ("ce", "gce"):
        weights, bias, *_ = fit(features, seen, 5, LOSSES[loss]({"q": 0.7}), 1.0, 1000)
        guess = (features.double() @ weights.T + bias).argmax(dim=1)
        fitted[loss] = (guess == labels).double().mean().item()
    assert fitted["gce"] == 1.0 > fitted["ce"]
