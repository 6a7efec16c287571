"""The folders of `ptnl/` import one way: each from those below it, and never in a circle."""

import ast
from pathlib import Path

import pytest

# From top to bottom. A folder may import from the folders that stand after it in this list.
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
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.ImportFrom):
            found.add("ptnl.relative_import")
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.startswith("ptnl.")}


def wrong_imports(folder: str, source: str) -> set[str]:
    """What a file of a folder imports and may not.

    `folder` is empty for a shared module, and `__init__` for the package's own, which offers what
    programs call: on images of their own, and on the results of a study.
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


def test_every_module_stands_in_a_known_folder(package):
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
def test_an_import_the_wrong_way_is_found(folder, line):
    assert wrong_imports(folder, line)


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_folder_says_what_it_answers(package, folder):
    assert ast.get_docstring(ast.parse((package / folder / "__init__.py").read_text()))
