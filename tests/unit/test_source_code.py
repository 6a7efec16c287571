"""Which code a command can reach, and which edits change its checksums."""

from pathlib import Path

import pytest

from ptnl.study import source_code
from ptnl.study.source_code import decisive_code, is_defined

FILES = {
    "cli/train.py": '''
"""Train."""
from ptnl.losses import LOSSES
from ptnl.optim import sgd
from ptnl.errors import InputError

def described(argv): return str(argv)

def main(argv=None):
    """Run it."""
    add_argument("--loss", help="which one")
    if argv is None:
        raise InputError(f"nothing to do: {described(argv)}")
    print("in training", described(argv))
    return sgd(LOSSES[argv])

if __name__ == "__main__":
    main()
''',
    "losses.py": '''
"""Losses."""
from ptnl import scale

def _log(x): return x
def ce(x): return _log(x)
def gce(x): return scale.of(x)
def unused(x): return x
LOSSES = {"ce": ce, "gce": lambda x: gce(x)}
LOSSES["mae"] = lambda x: 0
''',
    "scale.py": """
import math
STEP = 2
def of(x: int) -> int:
    # A comment.
    return STEP * math.floor(x)
""",
    "optim/__init__.py": "from ptnl.optim.steps import sgd\n",
    "optim/steps.py": """
from dataclasses import dataclass

@dataclass
class Rate:
    value: float = 0.1
    def halved(self): return self.value / 2

def sgd(loss):
    from ptnl.late import at_last
    return at_last(Rate())
""",
    "late.py": "import os\nos.environ['THREADS'] = '1'\ndef at_last(x): return x\n",
    "errors.py": "class InputError(Exception): pass\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    """A small package in place of `ptnl`."""
    folder = tmp_path / "ptnl"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "__init__.py").touch()
    monkeypatch.setattr(source_code, "PACKAGE", folder)
    clear_caches()
    yield folder
    clear_caches()


def clear_caches() -> None:
    for function in vars(source_code).values():
        if hasattr(function, "cache_clear"):
            function.cache_clear()


def reached(loss: str = "ce") -> dict:
    return decisive_code("ptnl.cli.train.main", entries={"ptnl.losses.LOSSES": (loss,)})


def names(found: dict) -> dict[str, set[str]]:
    return {module: set(parts) for module, parts in found.items()}


def test_a_command_reaches_the_definitions_that_it_mentions(package):
    common = {
        "cli.train": {"main"},
        "late": {"(module)", "at_last"},
        "optim.steps": {"Rate", "sgd"},
    }
    assert names(reached("ce")) == common | {"losses": {"LOSSES[ce]", "ce", "_log"}}
    assert names(reached("gce")) == common | {
        "losses": {"LOSSES[gce]", "gce"},
        "scale": {"STEP", "of"},
    }
    assert names(reached("mae"))["losses"] == {"LOSSES[mae]"}
    whole = names(decisive_code("ptnl.cli.train.main"))
    assert whole["losses"] == {"LOSSES", "ce", "gce", "_log"}


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("losses.py", "def _log(x): return x", "def _log(x): return 2 * x", {"losses._log"}),
        ("losses.py", "def gce(x): return", "def gce(x): return 2 *", set()),
        ("losses.py", "return x\nLOSSES", "return 5\nLOSSES", set()),
        ("losses.py", '{"ce"', '{"sce": lambda x: x, "ce"', set()),
        ("losses.py", '"ce": ce', '"ce": _log', {"losses.LOSSES[ce]"}),
        ("late.py", "'1'", "'2'", {"late.(module)"}),
        ("optim/steps.py", "0.1", "0.2", {"optim.steps.Rate"}),
        ("optim/steps.py", "value: float", "value: complex", set()),
        ("cli/train.py", "which one", "which of them", set()),
        ("cli/train.py", "Run it.", "Run all of it.", set()),
        ("cli/train.py", "nothing to do", "no loss", set()),
        ("cli/train.py", "InputError(f", "ValueError(f", {"cli.train.main"}),
        ("cli/train.py", "in training", "is trained", set()),
        ("errors.py", "pass", "code = 2", set()),
    ],
)
def test_an_edit_changes_only_the_checksum_of_its_definition(package, file, old, new, changed):
    def flat() -> dict[str, str]:
        clear_caches()
        return {
            f"{module}.{name}": checksum
            for module, parts in reached().items()
            for name, checksum in parts.items()
        }

    before, path = flat(), package / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    after = flat()
    assert {name for name in after if after[name] != before.get(name)} == changed


def test_an_unknown_name_is_an_error(package):
    assert is_defined("ptnl.losses.ce")
    assert not is_defined("ptnl.losses.other")
    with pytest.raises(KeyError, match=r"ptnl\.losses\.other"):
        decisive_code("ptnl.losses.other")
    with pytest.raises(KeyError, match="other"):
        reached("other")
