"""The table of norms of image features, and of what they mean for a linear probe's penalty."""

import numpy as np
import pytest

from ptnl.analysis import feature_norms
from ptnl.analysis.feature_norms import markdown, norms_table

C = 1000.0


@pytest.fixture
def features() -> dict[tuple[str, str], np.ndarray]:
    """100 images with norms 1, 2, ..., 100, and ten of norm 5; in float16, as on the disk."""
    directions = np.random.default_rng(0).normal(size=(100, 8))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    rising = directions * np.arange(1, 101)[:, None]
    return {
        ("icons", "mini-rn"): rising.astype(np.float16),
        ("dtd", "RN50"): np.tile([3.0, 4.0], (10, 1)).astype(np.float16),
    }


@pytest.mark.parametrize("together", [7, 2**16])
def test_norms_are_those_of_the_rows(features, monkeypatch, together):
    monkeypatch.setattr(feature_norms, "TOGETHER", together)
    first, second = norms_table(features, C).to_dict("records")
    assert first["mean"] == pytest.approx(50.5, rel=1e-3)
    assert (first["low"], first["high"]) == pytest.approx((5.95, 95.05), rel=1e-3)
    assert first["unit_c"] == pytest.approx(C * np.square(np.arange(1, 101)).mean(), rel=1e-3)
    assert (second["dimensions"], second["mean"], second["unit_c"]) == (2, 5, 25 * C)


def test_the_page_gives_the_penalty_for_features_of_norm_1(features):
    text = markdown(norms_table(features, C), C, "toy")
    assert "C = 1000 on features as they come" in text
    assert "| DTD" in text
    assert "25,000 |" in text
    without = markdown(norms_table(features, None), None, "toy")
    assert "C" not in without.split("|")[0].replace("Image features", "")
    assert "norm²" not in without
