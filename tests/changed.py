"""The unit tests that an edit concerns: those that changed, or that import a changed module.

python -m tests.changed        # prints their paths; `make check` runs them
"""

import ast
import subprocess
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]


def changed_files() -> set[str]:
    """Files that differ from the last commit, or that git does not know yet."""
    calls = (
        ["git", "diff", "--name-only", "HEAD"],
        ["git", "ls-files", "--others", "--exclude-standard"],
    )
    results = [
        subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True) for call in calls
    ]
    return {line for each in results for line in each.stdout.splitlines()}


def imported(source: str) -> set[str]:
    """Full names of the modules that a file imports, and of what it takes from them."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def concerned(tests: dict[str, str], changed: Iterable[str]) -> list[str]:
    """Paths of tests (path -> source) that changed, or that import a module that did."""
    changed = set(changed)
    modules = {
        path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in changed
        if path.endswith(".py")
    }
    return sorted(
        path
        for path, source in tests.items()
        if path in changed or any(name in modules for name in imported(source))
    )


def main() -> None:
    tests = {
        path.relative_to(ROOT).as_posix(): path.read_text()
        for path in sorted((ROOT / "tests/unit").glob("test_*.py"))
    }
    print("\n".join(concerned(tests, changed_files())))


if __name__ == "__main__":
    main()
