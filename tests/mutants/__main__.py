"""Change the code in small ways, and see whether the unit tests notice: `make mutants`.

    python -m tests.mutants [MODULE ...] --folder FOLDER [--docs workflow/docs/mutants.md]

mutmut makes the changes, one at a time, in a copy of the checkout below FOLDER. Which modules are
changed and which tests judge them stands in pyproject.toml. Ends with 1 where a change goes
unnoticed that `survivors.yaml` does not explain, or where an explanation has become void.
"""

import argparse
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

from tests.mutants.plain_functions import plain_functions
from tests.mutants.report import explanations, read_module, rewrite, tables, unexplained, void

ROOT = Path(__file__).parents[2]
COPIED = ("config.yaml", "ptnl", "pyproject.toml", "tests", "workflow")
SEED = "0"  # of Python's hashes, so that each mutant meets its tests in the same order


def sources() -> list[Path]:
    """The modules that are changed, relative to the checkout."""
    options = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutmut"]
    return [Path(path) for path in options["only_mutate"]]


def name_of(source: Path) -> str:
    return source.with_suffix("").as_posix().replace("/", ".")


def copy_of_the_checkout(folder: Path) -> Path:
    """A new copy, in the place of the last one."""
    copy = folder / "checkout"
    if copy.exists():
        shutil.rmtree(copy)
    copy.mkdir(parents=True)
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    for source in sources():
        (copy / source).write_text(plain_functions((copy / source).read_text()))
    return copy


def mutmut(copy: Path, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
    environment = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": SEED, "PATH": "/usr/bin:/bin"}
    call = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(call, cwd=copy, env=environment, text=True, check=True, **options)


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = {name_of(source): source for source in sources()}
    arguments.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(names)}")
    arguments.add_argument("--folder", type=Path, required=True, help="for the copy")
    arguments.add_argument("--workers", type=int, default=1)
    arguments.add_argument("--docs", type=Path, help="page whose tables are replaced")
    args = arguments.parse_args()
    if unknown := set(args.modules) - set(names):
        arguments.error(f"no such module: {', '.join(sorted(unknown))}")
    chosen = args.modules or list(names)
    copy = copy_of_the_checkout(args.folder)
    mutmut(copy, "run", "--max-children", str(args.workers), *(f"{name}.x*" for name in chosen))

    def difference(mutant: str) -> str:
        return mutmut(copy, "show", mutant, capture_output=True).stdout

    modules = [read_module(name, copy / "mutants" / names[name], difference) for name in chosen]
    for module in modules:
        print(f"{module.name}: {len(module.survivors)} of {module.mutants} survived")
    known = explanations()
    findings = [f"survived: {each}" for each in unexplained(modules, known)]
    findings += [f"explained, but killed: {each}" for each in void(modules, known)]
    print("\n".join(findings))
    if args.docs and not findings:
        rewrite(args.docs, tables(modules, known, f"mutmut {version('mutmut')}"))
    sys.exit(bool(findings))


if __name__ == "__main__":
    main()
