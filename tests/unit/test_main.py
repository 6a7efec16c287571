"""What the `ptnl` command sets up before it runs a subcommand."""

import os
import sys

import pytest
import torch

from ptnl.cli.entry import parser, start
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


def raises(error: Exception):
    """A command that fails with this error."""

    def main(argv) -> None:
        raise error

    return main


def test_a_full_gpu_is_one_sentence(capsys):
    with pytest.raises(SystemExit) as end:
        start(raises(torch.OutOfMemoryError("CUDA out of memory")))
    assert end.value.code == 2
    sentence = "error: the GPU's memory is full; let fewer processes share it (gpu_share: 1), "
    assert capsys.readouterr().err.startswith(sentence)


def test_other_errors_of_torch_keep_their_traceback():
    with pytest.raises(RuntimeError, match="shapes"):
        start(raises(RuntimeError("shapes cannot be multiplied")))
