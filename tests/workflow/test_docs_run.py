"""The commands and the code of every page of the docs run, one after the other."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.blocks import DOCS, Block, blocks_of
from tests.unit.made_up_report import reported
from tests.warm import write_script
from tests.workflow.conftest import copy_checkout

# For blocks marked "dry run", which take too long or need a registry: only plan the jobs.
DRY = 'snakemake() { command snakemake "$@" --dry-run; }\nmake() { command make --dry-run "$@"; }\n'


def executed(page: Path) -> list[Block]:
    return [
        block
        for block in blocks_of(page)
        if block.language in ("bash", "python") and block.note in ("", "dry run")
    ]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A checkout in a user's home, with made-up results of the embedded study."""
    home = tmp_path_factory.mktemp("home")
    checkout = copy_checkout(home / "ptnl")
    reported(checkout / "results/embedded")
    overlay = blocks_of(DOCS / "start.md")
    mine = next(block.code for block in overlay if block.language == "yaml")
    for folder in (checkout, home / "my project"):
        folder.mkdir(exist_ok=True)
        (folder / "mine.yaml").write_text(mine)
    (home / "bin").mkdir()
    for name in ("ptnl", "python", "snakemake"):
        write_script(home / "bin" / name, name, checkout)
    return checkout


@pytest.mark.parametrize(
    "page", [path.name for path in sorted(DOCS.glob("*.md")) if executed(path)]
)
def test_the_blocks_of_a_page_run(page, checkout):
    home = checkout.parent
    environment = {
        **os.environ,
        "HOME": str(home),
        "PATH": f"{home / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(checkout),
        "XDG_CACHE_HOME": str(home / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    session = ""  # later Python blocks of a page use names of earlier ones
    for block in executed(DOCS / page):
        if block.language == "python":
            session += block.code
            command = [home / "bin/python", "-c", session]
        else:
            code = DRY + block.code if block.note == "dry run" else block.code
            command = ["bash", "-euc", code]
        said = subprocess.run(
            command, cwd=checkout, env=environment, capture_output=True, text=True, check=False
        )
        assert said.returncode == 0, f"{block}\n{said.stdout}\n{said.stderr}"
