"""What the `ptnl` command sets up before it runs a subcommand."""

import os
import sys

import pytest

from ptnl.cli.entry import parser
from ptnl.cli.main import run


@pytest.mark.parametrize(
    ("by_the_user", "spins"),
    [({}, "1000"), ({"GOMP_SPINCOUNT": "5"}, "5"), ({"OMP_WAIT_POLICY": "ACTIVE"}, None)],
)
def test_waiting_threads_soon_sleep_unless_the_user_says_otherwise(
    by_the_user, spins, monkeypatch, capsys
):
    for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "")  # what `run` sets is undone at the end
        monkeypatch.delenv(name)
    for name, value in by_the_user.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["ptnl", "protocols"])
    run()
    assert os.environ.get("GOMP_SPINCOUNT") == spins
    assert "learning_rate" in capsys.readouterr().out


def test_help_shows_defaults_but_no_empty_ones():
    options = parser("Do it.")
    options.add_argument("--rows", type=int, default=3, help="how many")
    options.add_argument("--out", help="file to write")
    options.add_argument("--names", nargs="*", default=[], help="some (default: all)")
    text = options.format_help()
    assert "how many (default: 3)" in text
    assert text.count("default") == 2
