"""Running the real workflow, with results of its own."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "workflow/studies/smoke.yaml"


@dataclass(frozen=True)
class Study:
    """A study whose results lie in a folder of the test's."""

    folder: Path
    overlay: Path

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
            "--cores",
            "2",
            "--nolock",
            *arguments,
            "--configfile",
            str(self.overlay),
        ]

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            self.command(*arguments), cwd=ROOT, capture_output=True, text=True, check=False
        )

    def planned(self, *arguments: str) -> dict[str, int]:
        """Rule -> number of jobs that a dry run plans."""
        said = self.snakemake("--dry-run", *arguments, "--quiet", "rules")
        assert said.returncode == 0, said.stdout + said.stderr
        lines = [line.split() for line in (said.stdout + said.stderr).splitlines()]
        jobs = [line for line in lines if len(line) == 2 and line[1].isdigit()]
        return {rule: int(count) for rule, count in jobs if rule != "total"}


@pytest.fixture(scope="session")
def smoke(tmp_path_factory) -> Study:
    """The smoke study, run once, whole."""
    study = Study.create(tmp_path_factory.mktemp("smoke"))
    said = study.snakemake()
    assert said.returncode == 0, said.stdout + said.stderr
    return study
