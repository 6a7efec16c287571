"""Python searches for no garbage where there is next to none."""

import gc

import pytest

from ptnl.machine.garbage import kept, search_rarely


def test_nothing_is_searched_in_the_block_and_what_it_made_is_never_looked_at():
    before = gc.get_freeze_count()
    with kept():
        assert not gc.isenabled()
        made = [[] for _ in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(made)


def test_an_error_in_the_block_leaves_the_search_on():
    with pytest.raises(KeyError), kept():
        raise KeyError
    assert gc.isenabled()


def test_a_process_that_searches_rarely_does_so_after_many_new_objects():
    thresholds = gc.get_threshold()
    try:
        gc.set_threshold(700, 10, 10)
        search_rarely()
        assert gc.get_threshold()[0] > 50_000
    finally:
        gc.set_threshold(*thresholds)
