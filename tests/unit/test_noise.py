import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ptnl.errors import InputError
from ptnl.noise import NOISES, symmetric

draws = st.tuples(st.integers(2, 12), st.integers(1, 16), st.integers(0, 2**31))


@pytest.mark.parametrize("kind", NOISES)
@given(draw=draws, data=st.data())
def test_exactly_fp_wrong_labels_per_class(kind, draw, data):
    classes, shots, seed = draw
    fp = data.draw(st.integers(0, shots))
    clean = np.repeat(np.arange(classes), shots)
    noisy = NOISES[kind](clean, classes, fp, seed)
    assert ((noisy >= 0) & (noisy < classes)).all()
    assert ((noisy != clean).reshape(classes, shots).sum(axis=1) == fp).all()
    assert (noisy == NOISES[kind](clean, classes, fp, seed)).all()


@given(draw=draws)
def test_rates_of_a_seed_are_nested(draw):
    classes, shots, seed = draw
    clean = np.repeat(np.arange(classes), shots)
    low, high = symmetric(clean, classes, shots // 2, seed), symmetric(clean, classes, shots, seed)
    wrong = low != clean
    assert (low[wrong] == high[wrong]).all()


def test_wrong_labels_are_uniform_over_the_other_classes():
    clean = np.repeat(np.arange(5), 4000)
    noisy = symmetric(clean, 5, 4000, seed=0)
    for label in range(5):
        counts = np.bincount(noisy[clean == label], minlength=5)
        assert counts[label] == 0
        assert abs(np.delete(counts, label) - 1000).max() < 5 * np.sqrt(1000)


def test_seeds_differ():
    clean = np.repeat(np.arange(10), 16)
    assert (symmetric(clean, 10, 8, 1) != symmetric(clean, 10, 8, 2)).any()


def test_more_wrong_labels_than_shots_are_refused():
    with pytest.raises(InputError, match="5 wrong labels do not fit into the 4 shots of class 0"):
        symmetric(np.repeat(np.arange(3), 4), 3, 5, 0)
