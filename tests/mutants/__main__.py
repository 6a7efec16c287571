"""Change the code in small ways, and see whether the unit tests notice: `make mutants`.

    python -m tests.mutants [MODULE ...] --folder FOLDER [--docs workflow/docs/mutants.md]

mutmut makes the changes, one at a time, in a copy of the checkout below FOLDER. Which modules are
changed and which tests must notice stands in pyproject.toml. Ends with 1 where a change goes
unnoticed that `survivors.yaml` does not explain, or where an explanation has become void.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tomllib
from datetime import date
from importlib.metadata import version
from pathlib import Path

from tests.mutants.plain_functions import plain_functions
from tests.mutants.report import (
    Module,
    explanations,
    read_module,
    rewrite,
    tables,
    unexplained,
    void,
)

ROOT = Path(__file__).parents[2]
COPIED = ("config.yaml", "ptnl", "pyproject.toml", "tests", "workflow")


def modules_and_tests() -> dict[str, list[str]]:
    """The modules that are changed, and the unit tests that must notice."""
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return options["tool"]["mutants"]


def source_of(module: str) -> str:
    return module.replace(".", "/") + ".py"


def copy_of_the_checkout(folder: Path, module: str, tests: list[str]) -> Path:
    """A new copy in the place of the last one, in which mutmut is told what to do."""
    copy = folder / "checkout"
    if copy.exists():
        shutil.rmtree(copy)
    copy.mkdir(parents=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    source = copy / source_of(module)
    source.write_text(plain_functions(source.read_text()))
    options = {
        "source_paths": ["ptnl"],
        "only_mutate": [source_of(module)],
        "also_copy": ["config.yaml", "workflow"],
        "pytest_add_cli_args": ["-p", "tests.mutants.quick", "-p", "no:cacheprovider"],
        "pytest_add_cli_args_test_selection": [f"tests/unit/{test}.py" for test in tests],
        "process_isolation": "forkserver",  # torch's threads do not survive a fork
        "timeout_constant": 4.0,  # of at least a minute, so that only endless loops run into it
        "use_git_change_detection": False,
    }
    lines = [f"{name} = {json.dumps(value)}" for name, value in options.items()]
    with (copy / "pyproject.toml").open("a") as file:
        file.write("\n".join(["", "[tool.mutmut]", *lines, ""]))
    return copy


def tried(module: str, tests: list[str], folder: Path, workers: int) -> Module:
    """What became of a module's mutants."""
    copy = copy_of_the_checkout(folder, module, tests)
    # The seed of Python's hashes decides the order in which a mutant meets its tests.
    environment = {
        **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        **{"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
    }

    def mutmut(*arguments: str) -> str:
        call = [sys.executable, "-m", "mutmut", *arguments]
        done = subprocess.run(
            call, cwd=copy, env=environment, text=True, capture_output=True, check=False
        )
        if done.returncode:
            sys.exit(f"{module}: mutmut failed\n{done.stdout}{done.stderr}")
        return done.stdout

    mutmut("run", "--max-children", str(workers))
    return read_module(
        module, copy / "mutants" / source_of(module), lambda mutant: mutmut("show", mutant)
    )


def main() -> None:
    tests = modules_and_tests()
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(tests)}")
    arguments.add_argument("--folder", type=Path, required=True, help="for the copy")
    arguments.add_argument("--workers", type=int, default=1)
    arguments.add_argument("--docs", type=Path, help="page whose tables are replaced")
    args = arguments.parse_args()
    if unknown := set(args.modules) - set(tests):
        arguments.error(f"no such module: {', '.join(sorted(unknown))}")
    modules = []
    for name in args.modules or tests:
        modules.append(tried(name, tests[name], args.folder, args.workers))
        print(f"{name}: {len(modules[-1].survivors)} of {modules[-1].mutants} survived", flush=True)
    known = explanations()
    findings = [f"survived: {each}" for each in unexplained(modules, known)]
    findings += [f"explained, but killed: {each}" for each in void(modules, known)]
    print("\n".join(findings) or "Every survivor is explained.")
    if args.docs and not findings:
        tool = f"mutmut {version('mutmut')} on {date.today():%-d %B %Y}"
        rewrite(args.docs, tables(modules, known, tool))
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()
