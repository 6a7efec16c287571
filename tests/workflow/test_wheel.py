"""The wheel works in an environment that holds its dependencies and nothing else."""

import json
import subprocess
import sys
import venv
from collections.abc import Iterable
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pandas as pd
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.own import TEMPLATE, icons
from tests.workflow.conftest import copy_checkout

# Runs when Python starts in that environment: whatever tries to use the network fails.
NO_NETWORK = """
import sys

def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        raise AssertionError(f"the network was asked: {event} {arguments[1:]}")

sys.addaudithook(refuse)
"""

# Imports every module that the commands on a user's own images need, and calls commands: in one
# process, which imports torch once.
IMPORT_AND_CALL = """
import json
import pkgutil
import sys
import ptnl.own
from ptnl.cli.main import run

for module in pkgutil.iter_modules(ptnl.own.__path__, "ptnl.own."):
    __import__(module.name)
print("imported")
for command in json.loads(sys.argv[1]):
    sys.argv = ["ptnl", *command]
    run()
"""


def needed(requirements: Iterable[str]) -> list[Distribution]:
    """The installed distributions that pip would install for these requirements."""
    extras: dict[str, frozenset[str]] = {}
    waiting = [(Requirement(text), frozenset({""})) for text in requirements]
    while waiting:
        one, asked = waiting.pop()
        if one.marker and not any(one.marker.evaluate({"extra": extra}) for extra in asked):
            continue
        name = canonicalize_name(one.name)
        known, wanted = extras.get(name, frozenset()), frozenset({"", *one.extras})
        if not wanted <= known:
            extras[name] = known | wanted
            waiting += [(Requirement(t), extras[name]) for t in distribution(name).requires or ()]
    return [distribution(name) for name in extras]


class Environment:
    """A virtual environment that shares the files of installed distributions."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, symlinks=True, with_pip=False)
        self.folder = folder
        (self.site,) = folder.glob("lib/python*/site-packages")

    def link(self, distributions: Iterable[Distribution]) -> None:
        """Make distributions importable here."""
        for one in distributions:
            for top in {file.parts[0] for file in one.files or ()} - {"..", "__pycache__"}:
                if not (self.site / top).exists():
                    (self.site / top).symlink_to(Path(str(one.locate_file(top))))

    def call(self, command: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Call a command of the environment, from its folder and without the network."""
        return subprocess.run(
            [self.folder / "bin" / command, *map(str, arguments)],
            cwd=self.folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    source, folder = (tmp_path_factory.mktemp(name) for name in ("source", "wheel"))
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "-w", folder, copy_checkout(source)],
        check=True,
    )
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory) -> Environment:
    made = Environment(tmp_path_factory.mktemp("clean") / "environment")
    pip = [sys.executable, "-m", "pip", "--python", made.folder / "bin/python"]
    subprocess.run([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], check=True)
    (metadata,) = made.site.glob("ptnl_study-*.dist-info")
    made.link(needed(Distribution.at(metadata).requires or ()))
    (made.site / "no_network.pth").write_text("import no_network\n")
    (made.site / "no_network.py").write_text(NO_NETWORK)
    return made


def test_the_wheel_holds_the_whole_package_and_nothing_else(root, wheel):
    checked = ["check-wheel-contents", "--package", "ptnl", wheel]
    said = subprocess.run(checked, cwd=root, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr


def test_the_environment_lacks_snakemake_and_the_network(environment):
    said = environment.call("python", "-c", "import snakemake")
    assert "No module named 'snakemake'" in said.stderr
    said = environment.call("python", "-c", "import socket; socket.create_connection(('::1', 9))")
    assert "the network was asked" in said.stderr


def test_help_works_in_the_clean_environment(environment):
    said = environment.call("ptnl", "--help")
    assert said.returncode == 0, said.stderr
    assert "predict" in said.stdout


def test_the_shipped_backbone_works_without_workflow_and_network(environment, tmp_path):
    names = set(icons(tmp_path, classes=3, per_class=4).image)
    images, model, table = tmp_path / "images", tmp_path / "model", tmp_path / "predictions.csv"
    session = ["--device", "cpu", "--threads", "1", "--cache", tmp_path / "cache"]
    prompts = ["--classes", tmp_path / "classes.txt", "--template", TEMPLATE, "--shots", "2"]
    commands = [
        ["adapt", images, *prompts, "-o", model, *session],
        ["predict", model, images, "-o", table, *session],
    ]
    said = environment.call("python", "-c", IMPORT_AND_CALL, json.dumps(commands, default=str))
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("imported\n")
    assert set(pd.read_csv(table).image) == names
