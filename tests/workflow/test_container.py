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


@pytest.fixture
def recipe(root) -> list[tuple[str, str]]:
    """(instruction, its arguments) in the order of the file."""
    text = (root / "envs/Containerfile").read_text()
    whole = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", text, flags=re.M))
    return [tuple(line.split(" ", 1)) for line in whole.splitlines() if line]


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


def test_a_study_is_planned_from_what_the_image_holds(root, recipe, tmp_path):
    inside = tmp_path / "image"
    for name, what in recipe:
        if name != "COPY":
            continue
        *sources, target = what.split()
        place = inside / target.removeprefix("/")
        for source in sources:
            assert (root / source).exists(), source
            if (root / source).is_dir():
                shutil.copytree(root / source, place)
            else:
                to = place / source if target.endswith("/") else place
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(root / source, to)
    checkout = inside / HOME.removeprefix("/")
    command = [word.replace(HOME, str(checkout)) for word in json.loads(dict(recipe)["CMD"])]
    folder = tmp_path / "work"
    folder.mkdir()
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(checkout),
    }
    said = subprocess.run(
        [*command, "--dry-run"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert re.search(r"^tune_method_\w+ ", said.stdout + said.stderr, flags=re.M)
