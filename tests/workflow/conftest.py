"""Run the real workflow on small studies, each with results of its own."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
import yaml

from ptnl.io import write_json
from ptnl.study.config import read_study
from ptnl.study.job_files import Job
from ptnl.study.jobs import study_jobs
from tests.warm import called

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "workflow/studies/smoke.yaml"


@cache
def places(overlay: str) -> dict[str, str]:
    """Path variable -> its folder, of an overlay's text. Thousands of paths need them."""
    found: dict[str, str] = yaml.safe_load(overlay)["pathvars"]
    return found


@dataclass(frozen=True)
class Study:
    """A study in a folder of its own, from which Snakemake is also called."""

    folder: Path
    overlay: Path
    checkout: Path = ROOT

    @classmethod
    def create(cls, folder: Path, base: Path | None = SMOKE, **changes) -> "Study":
        folder.mkdir(parents=True, exist_ok=True)
        config = yaml.safe_load(base.read_text()) if base else {}
        for key, value in changes.items():
            if isinstance(value, dict):
                config[key] = {**config.get(key, {}), **value}
            else:
                config[key] = value
        config["pathvars"] = {"results": str(folder / "results"), "data": str(folder / "data")}
        overlay = folder / "study.yaml"
        overlay.write_text(yaml.safe_dump(config))
        return cls(folder, overlay)

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def command(self, *arguments: str) -> list[str]:
        return [
            "snakemake",
            "--snakefile",
            str(self.checkout / "Snakefile"),
            "--cores",
            "2",
            "--nolock",
            *arguments,
            "--configfile",
            str(self.overlay),
        ]

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess:
        """Call Snakemake, in a process that has imported what it needs."""
        command = self.command(*arguments)
        return called(command if self.checkout == ROOT else ["forget", *command], self.folder)

    def planned(self, *arguments: str) -> dict[str, int]:
        """Rule -> number of jobs that a dry run plans."""
        said = self.snakemake("--dry-run", *arguments, "--quiet", "rules")
        assert said.returncode == 0, said.stdout + said.stderr
        lines = [line.split() for line in (said.stdout + said.stderr).splitlines()]
        jobs = [line for line in lines if len(line) == 2 and line[1].isdigit()]
        return {rule: int(count) for rule, count in jobs if rule != "total"}

    def path(self, file: str) -> Path:
        """The path of a file that is given in the workflow's notation: `<results>/runs.parquet`."""
        for name, place in places(self.overlay.read_text()).items():
            file = file.replace(f"<{name}>", place)
        return Path(file)

    def jobs(self) -> list[Job]:
        """All jobs of the study."""
        return study_jobs(read_study(ROOT, [self.overlay], {}))

    def pretend(self) -> None:
        """Create every file of the study empty, and make Snakemake believe that the study ran."""
        for job in self.jobs():
            for path in map(self.path, job.outputs):
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.name == "receipt.json":
                    write_json({"made_by": {}}, path)
                else:
                    path.write_text("")
        said = self.snakemake("--touch", "--forceall")
        assert said.returncode == 0, said.stdout + said.stderr


def copy_checkout(folder: Path) -> Path:
    """A copy of the repository, without what git ignores."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def pretended(tmp_path_factory) -> Study:
    """The smoke study as if it had run, for tests of what would run again."""
    study = Study.create(tmp_path_factory.mktemp("eine gelaufene Übung"))
    study.pretend()
    return study


# Folders that Python, its tools and git keep in a checkout.
CACHES = {
    ".git",
    ".venv",
    ".hypothesis",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    "__pycache__",
}


def files_of_checkout() -> set[str]:
    """Every file in the repository's folder, except in caches."""
    found = set()
    for folder, folders, names in os.walk(ROOT):
        folders[:] = set(folders) - CACHES
        found |= {f"{folder}/{name}" for name in names}
    return found


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Study:
    """The whole smoke study, run once from a folder of its own."""
    study = Study.create(tmp_path_factory.mktemp("eine Übung"))
    before = files_of_checkout()
    said = subprocess.run(study.command(), cwd=study.folder, capture_output=True, text=True)
    assert said.returncode == 0, said.stdout + said.stderr
    assert files_of_checkout() == before  # nothing is written into the checkout
    return study
