"""Commands use as many threads as they may."""

import os

import pytest

from ptnl.machine.threads import usable_threads
from ptnl.own.session import Session


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU sets on this system")
def test_a_process_with_one_cpu_uses_one_thread(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    usable = os.sched_getaffinity(0)
    assert usable_threads() == len(usable)
    os.sched_setaffinity(0, [min(usable)])
    try:
        assert usable_threads() == Session().threads == 1
    finally:
        os.sched_setaffinity(0, usable)


@pytest.mark.parametrize(("asked", "threads"), [("1", 1), ("3", 3)])
def test_the_environment_decides_where_it_says_a_number(monkeypatch, asked, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert usable_threads() == threads


@pytest.mark.parametrize("asked", ["", "0", "many", "2,1"])
def test_other_words_in_the_environment_are_left_to_openmp(monkeypatch, asked):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    usual = usable_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert usable_threads() == usual
