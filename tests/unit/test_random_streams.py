"""Random streams depend on their purpose and their numbers, and on nothing else."""

import pytest

from ptnl.machine.random_streams import random_stream

PURPOSES = ("noise", "noise over the whole draw", "pseudo-labels", "views", "batches")


def test_a_stream_depends_on_its_numbers():
    first = random_stream("noise", 1, 0).random(4)
    assert random_stream("noise", 1, 0).random(4).tolist() == first.tolist()
    assert random_stream("noise", 1, 1).random(4).tolist() != first.tolist()


def test_a_stream_is_the_same_in_every_version():
    assert random_stream("noise", 1, 0).integers(1000, size=5).tolist() == [318, 159, 509, 135, 693]


@pytest.mark.parametrize("numbers", [(1,), (1, 0), (0, 0)])
def test_purposes_never_share_a_stream(numbers):
    """Neither does one without a second number, which numpy would take for a zero."""
    seen = {tuple(random_stream(purpose, *numbers).random(4)) for purpose in PURPOSES}
    seen |= {tuple(random_stream(purpose, numbers[0]).random(4)) for purpose in ("context",)}
    assert len(seen) == len(PURPOSES) + 1
