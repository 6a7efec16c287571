"""`ptnl run` calls Snakemake with its arguments in the right order, and says how it ended."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from ptnl.study.config import REPOSITORY
from ptnl.study.snakemake import Call
from tests.warm import called
from tests.workflow.conftest import Study


def run(study: Study, *arguments: str) -> subprocess.CompletedProcess:
    return called(["ptnl", "run", *arguments, "--study", str(study.overlay)], study.folder)


def test_targets_come_before_options_that_would_swallow_them():
    call = Call([Path("a.yaml"), Path("b.yaml")], ["seeds=[1]"], ["table1"], ["--cores", "2"])
    snakefile = str(REPOSITORY / "Snakefile")
    first = ["table1", "--snakefile", snakefile, "--cores", "2"]
    assert call.arguments == [
        *first,
        *("--configfile", "a.yaml", "b.yaml"),
        *("--config", "seeds=[1]"),
    ]


def test_a_target_is_made_and_then_up_to_date(tmp_path):
    study = Study.create(tmp_path)
    target = str(study.results / "shots/symbols/seed-1.parquet")
    said = run(study, target, "--cores", "1")
    assert said.returncode == 0, said.stderr
    assert f"3 jobs done. Results: {study.results}/" in said.stdout
    assert "3/3" in said.stderr  # the progress line
    assert Path(target).is_file()
    # In a process that has imported nothing yet, as a user calls it.
    command = [sys.executable, "-m", "ptnl.cli.run", target, "--study", str(study.overlay)]
    again = subprocess.run(command, cwd=study.folder, capture_output=True, text=True, check=False)
    assert again.stdout == f"Everything is up to date. Results: {study.results}/\n"


def test_a_job_that_fails_is_named_with_its_log(tmp_path):
    for name in ("owl", "wren"):
        (tmp_path / "birds" / name).mkdir(parents=True)
        for number in range(6):
            path = tmp_path / "birds" / name / f"{number}.png"
            Image.new("RGB", (64, 64), (number, len(name), 0)).save(path)
    cut = tmp_path / "birds/owl/3.png"
    cut.write_bytes(cut.read_bytes()[:60])
    options = {"birds": {"folder": str(tmp_path / "birds"), "template": "a {}."}}
    study = Study.create(
        tmp_path,
        datasets=["birds"],
        dataset_options=options,
        shots=2,
        noise={"symmetric": {"fps": [0, 1]}, "confusion": None},
    )
    said = run(study, str(study.results / "features/birds/mini-rn.npy"), "--cores", "1")
    assert said.returncode == 1
    log = study.results / "logs/encode_images/birds/mini-rn.log"
    assert f"failed: encode_images birds mini-rn\n  log: {log}\n" in said.stderr
    assert "owl/3.png: not readable as an image" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(
    ("changes", "targets", "sentence", "status"),
    [
        ({"shot": 16}, (), "error: config: unknown key 'shot' (did you mean 'shots'?)", 2),
        ({}, ("tabel1",), "No rule to produce tabel1", 1),
        (
            {"methods_only": ["zero_shot", "prompt_ce"]},
            ("figure2",),
            "Figure 2 needs prompt_gce, linear_probe_gce, linear_probe.\n",
            1,
        ),
    ],
)
def test_what_cannot_run_is_answered_with_one_sentence(
    tmp_path, changes, targets, sentence, status
):
    said = run(Study.create(tmp_path, **changes), *targets)
    assert said.returncode == status
    assert sentence in said.stderr
    assert "raceback" not in said.stderr


def test_arguments_after_two_dashes_go_to_snakemake(tmp_path):
    study = Study.create(tmp_path)
    overlay = yaml.safe_load(study.overlay.read_text())
    assert overlay["study"] == "smoke"
    command = ["ptnl", "run", "--study", str(study.overlay), "--", "--dry-run"]
    said = called(command, tmp_path)
    assert said.returncode == 0, said.stderr
    assert not study.results.exists()
