"""The command line: every rule calls a command, and every command explains itself."""

import re
import subprocess

import pytest

from ptnl.cli.main import TOOLS, commands
from tests.warm import ROOT, called


def ptnl(*arguments: str) -> subprocess.CompletedProcess:
    return called(["ptnl", *arguments], ROOT)


def test_every_command_has_a_rule_that_reruns_when_the_command_is_edited(root):
    rules = "".join(path.read_text() for path in (root / "workflow/rules").glob("*.smk"))
    for name in commands().keys() - TOOLS:
        assert re.search(rf"python -m ptnl\.cli\.job (--record {{log:q}} )?{name} ", rules)
        assert re.search(rf'\*code\(\s*"{name}"', rules)


def test_help_lists_every_command():
    said = ptnl("--help")
    assert said.returncode == 0
    assert all(name in said.stdout for name in commands())


@pytest.mark.parametrize("name", ["index_dataset", "tune-method", "summary"])
def test_commands_explain_themselves(name):
    said = ptnl(name, "--help")
    assert said.returncode == 0
    assert f"usage: ptnl {name.replace('-', '_')}" in said.stdout


def test_an_unknown_command_is_answered_with_one_sentence():
    said = ptnl("tune")
    assert said.returncode != 0
    assert said.stderr == "error: no command 'tune'; `ptnl --help` lists them\n"


def test_bad_input_is_answered_with_one_sentence(tmp_path):
    missing = str(tmp_path / "missing.parquet")
    said = ptnl("sample_shots", "--manifest", missing, "--shots", "1", "--seed", "1", "--out", "x")
    assert said.returncode == 2
    assert said.stderr.startswith(f"error: {missing}: not readable as Parquet")
    assert said.stderr.count("\n") == 1
