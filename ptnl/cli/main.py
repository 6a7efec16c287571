"""The `ptnl` command: every command-line module under its own name."""

import ast
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from ptnl import __version__
from ptnl.cli.entry import start_command

NO_COMMANDS = {"__init__", "entry", "job", "listed", "main"}
OWN = {"adapt", "audit", "export", "predict"}  # commands on the user's own images
# Other commands that users call; no step of the workflow uses them.
TOOLS = OWN | {"bench", "data", "pack", "plan", "protocols", "run", "summary", "unpack"}


def commands() -> dict[str, str]:
    """Name of every command -> the first line of its docstring, read without importing it."""
    modules = sorted(Path(__file__).parent.glob("*.py"))
    return {
        module.stem: (ast.get_docstring(ast.parse(module.read_text())) or "").splitlines()[0]
        for module in modules
        if module.stem not in NO_COMMANDS
    }


def overview() -> str:
    """The text of `ptnl --help`."""
    known = commands()
    width = max(map(len, known))

    def listed(names: Iterable[str]) -> list[str]:
        return [f"  {name:<{width}}  {known[name]}" for name in names]

    lines = [
        f"ptnl {__version__}: prompt tuning of vision-language models with noisy labels",
        "",
        "usage: ptnl COMMAND [options]     ptnl COMMAND --help",
        "",
        "Your own images (workflow/docs/own-images.md):",
        *listed(name for name in known if name in OWN),
        "",
        "Tools:",
        *listed(name for name in known if name in TOOLS - OWN),
        "",
        "Steps of the workflow, which `snakemake` calls:",
        *listed(name for name in known if name not in TOOLS),
    ]
    return "\n".join(lines)


def run() -> None:
    """Entry point of the console command."""
    arguments = sys.argv[1:]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(overview())
        return
    name = arguments[0].replace("-", "_")
    if name not in commands():
        sys.exit(f"error: no command {arguments[0]!r}; `ptnl --help` lists them")
    # How often a thread looks for work before it sleeps. OpenMP's own 300,000 times waste more than
    # half of the processor time on a busy machine. Never looking makes two threads up to a fifth
    # slower on an idle one (`workflow/docs/fast-core.md`). OpenMP reads this as torch is imported.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    sys.argv = [f"ptnl {name}", *arguments[1:]]
    start_command(name)
