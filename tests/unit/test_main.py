"""What the `ptnl` command sets up before it runs a subcommand."""

import os
import sys

import pytest

from ptnl.cli.entry import parser
from ptnl.cli.main import run


@pytest.mark.parametrize(("set_by_the_user", "policy"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_waiting_threads_sleep_unless_the_user_says_otherwise(
    set_by_the_user, policy, monkeypatch, capsys
):
    monkeypatch.setenv("OMP_WAIT_POLICY", set_by_the_user or "")
    if set_by_the_user is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setattr(sys, "argv", ["ptnl", "protocols"])
    run()
    assert os.environ["OMP_WAIT_POLICY"] == policy
    assert "learning_rate" in capsys.readouterr().out


def test_help_shows_defaults_but_no_empty_ones():
    options = parser("Do it.")
    options.add_argument("--rows", type=int, default=3, help="how many")
    options.add_argument("--out", help="file to write")
    options.add_argument("--names", nargs="*", default=[], help="some (default: all)")
    text = options.format_help()
    assert "how many (default: 3)" in text
    assert text.count("default") == 2
