"""Every folder of `ptnl/` imports only from those below it, so imports are never circular."""

import ast
from pathlib import Path

import pytest

from tests.changed import imported

# From top to bottom. A folder may import from itself and from the folders after it in this list.
FOLDERS = (
    "cli",
    "analysis",
    "study",
    "bench",
    "own",
    "methods",
    "training",
    "features",
    "data",
    "labels",
    "backbones",
    "text",
    "fetch",
    "machine",
)
# Modules at the top level of the package, which every folder may import.
SHARED = ("errors", "io", "provenance", "schemas", "temporary")


def imported_modules(source: str) -> set[str]:
    """The modules of `ptnl` that a file imports, at its top or inside functions."""
    found = {name for name in imported(source) if name.startswith("ptnl.")}
    nodes = ast.walk(ast.parse(source))
    if any(isinstance(node, ast.ImportFrom) and node.level for node in nodes):
        found.add("ptnl.relative_import")
    return found


def wrong_imports(folder: str, source: str) -> set[str]:
    """What a file of a folder imports although it may not.

    `folder` is empty for a shared module, and `__init__` for the package's own `__init__.py`. That
    offers the functions that programs call: on own images, and on the results of a study.
    """
    allowed = {*SHARED, "__version__"}
    if folder == "__init__":
        allowed |= {"own", "analysis"}
    elif folder:
        allowed |= set(FOLDERS[FOLDERS.index(folder) :])
    return {name for name in imported_modules(source) if name.split(".")[1] not in allowed}


@pytest.fixture(scope="module")
def package(root):
    return root / "ptnl"


def test_every_module_is_in_a_known_folder(package):
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    assert folders == set(FOLDERS)
    assert {path.stem for path in package.glob("*.py")} == {"__init__", *SHARED}


def test_imports_run_one_way(package):
    wrong = {}
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package).parts
        folder = inside[0] if len(inside) > 1 else ""
        if inside == ("__init__.py",):
            folder = "__init__"
        if found := wrong_imports(folder, path.read_text()):
            wrong[str(Path(*inside))] = sorted(found)
    assert wrong == {}


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("labels", "from ptnl.training.losses import LOSSES"),
        ("text", "import ptnl.backbones.registry"),
        ("training", "def f():\n    from ptnl import methods"),
        ("", "from ptnl.data import DATASETS"),
        ("data", "from . import splits"),
    ],
)
def test_a_wrong_import_is_found(folder, line):
    assert wrong_imports(folder, line)


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_folder_has_a_docstring(package, folder):
    assert ast.get_docstring(ast.parse((package / folder / "__init__.py").read_text()))
