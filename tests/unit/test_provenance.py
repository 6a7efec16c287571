"""The commit of the running code is read without a trace in the repository."""

import os
import subprocess
from pathlib import Path

import pytest

from ptnl import __version__, provenance


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """A git repository of one committed file, in which the running code seems to be."""
    code = tmp_path / "ptnl" / "provenance.py"
    code.parent.mkdir()
    code.write_text("one = 1\n")
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "one"]):
        subprocess.run(["git", "-C", tmp_path, *words], check=True)
    monkeypatch.setattr(provenance, "__file__", str(code))
    return tmp_path


def commit() -> str:
    return provenance.commit.__wrapped__()


def test_the_index_is_left_as_it_is(repository):
    """A `git status` that writes takes a lock, and one that is killed leaves it to the user."""
    index = repository / ".git" / "index"
    before = index.read_bytes()
    # By default `git status` would write the file's new time to the index.
    os.utime(repository / "ptnl" / "provenance.py", (1e9, 1e9))
    assert not commit().endswith("+")
    assert index.read_bytes() == before


def test_edited_code_has_a_mark(repository):
    (repository / "ptnl" / "provenance.py").write_text("two = 2\n")
    head = subprocess.check_output(
        ["git", "-C", repository, "rev-parse", "--short=12", "HEAD"], text=True
    )
    assert commit() == head.strip() + "+"


def test_outside_git_the_version_stands_for_the_code(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "ptnl" / "provenance.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert commit() == f"ptnl-{__version__}"
