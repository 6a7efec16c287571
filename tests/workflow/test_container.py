"""The recipe of the container image copies all that a study needs. No test builds the image."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

INSTRUCTIONS = {"CMD", "COPY", "ENV", "FROM", "RUN", "USER", "WORKDIR"}
HOME = "/opt/ptnl"
# Runs when Python starts: the system has no name for the user.
NO_SUCH_USER = """
import pwd

def unknown(number):
    raise KeyError(f"getpwuid(): uid not found: {number}")

pwd.getpwuid = unknown
"""


@pytest.fixture
def recipe(root) -> list[tuple[str, str]]:
    """(instruction, its arguments) in the order of the file."""
    text = (root / "envs/Containerfile").read_text()
    whole = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", text, flags=re.M))
    return [tuple(line.split(" ", 1)) for line in whole.splitlines() if line]


@pytest.fixture
def image(root, recipe, tmp_path) -> Path:
    """A folder with what the recipe copies into the image."""
    inside = tmp_path / "image"
    for name, what in recipe:
        if name != "COPY":
            continue
        *sources, target = what.split()
        place = inside / target.removeprefix("/")
        for source in sources:
            if (root / source).is_dir():
                shutil.copytree(root / source, place)
            else:
                to = place / source if target.endswith("/") else place
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(root / source, to)
    return inside


def test_the_recipe_installs_the_lock_and_does_not_run_as_root(root, recipe):
    assert {name for name, _ in recipe} <= INSTRUCTIONS
    said = dict(recipe)
    # A short name: the settings of the container engine say which registry it comes from.
    python = re.search(r"- python=(\S+)", (root / "envs/ptnl.yaml").read_text()).group(1)
    assert said["FROM"] == f"python:{python}-slim"
    names = [name for name, _ in recipe]
    assert "RUN" not in names[names.index("USER") :]
    assert said["USER"] != "root"
    installs, _ = (what for name, what in recipe if name == "RUN")
    assert f"--no-deps --requirement {HOME}/envs/requirements.lock" in installs
    assert ("COPY", f"envs/requirements.lock {HOME}/envs/requirements.lock") in recipe


def test_jobs_run_from_what_the_image_holds(recipe, image, tmp_path):
    """As a user whom the image does not know, as `docker run --user` has it."""
    command = [
        word.replace(HOME, str(image / HOME.removeprefix("/")))
        for word in json.loads(dict(recipe)["CMD"])
    ]
    folder, stubs = tmp_path / "work", tmp_path / "stubs"
    folder.mkdir()
    stubs.mkdir()
    (stubs / "sitecustomize.py").write_text(NO_SUCH_USER)
    names = {"LOGNAME", "USER", "LNAME", "USERNAME"}  # of the user who runs this test
    environment = {
        **{name: value for name, value in os.environ.items() if name not in names},
        **dict(setting.split("=") for setting in dict(recipe)["ENV"].split()),
        "HOME": str(tmp_path),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": f"{stubs}:{image / HOME.removeprefix('/')}",
    }

    def run(*arguments: str) -> str:
        said = subprocess.run(
            [*command, *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert said.returncode == 0, said.stdout + said.stderr
        return said.stdout + said.stderr

    assert re.search(r"^tune_method_\w+ ", run("--dry-run"), flags=re.M)
    draw = "results/embedded/shots/symbols/seed-1.parquet"
    run(draw)
    assert (folder / draw).is_file()
