"""The workflow on a real SLURM, by its profile; Snakemake is killed in between."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from ptnl.io import read_parquet
from ptnl.schemas import RUNS
from tests.slurm.conftest import Cluster, Record
from tests.workflow.conftest import ROOT, Study

# A part of the smoke study, without fine-tuning and random prompts: eight GPU jobs.
METHODS = ["zero_shot", "prompt_ce", "linear_probe"]
RUNS_IN_ALL = 2 + 2 * 2 * 2 + 2 * 2  # zero-shot, symmetric, confusion
GPUS = 2
GPU_JOBS = 2 * 2 + 2 * 2  # encode and classify with both backbones; tune under both noises


def command(study: Study, *arguments: str) -> list[str]:
    """Snakemake with the SLURM profile. It asks `squeue`, as there is no database, and often."""
    return [
        *("snakemake", "--snakefile", str(ROOT / "Snakefile")),
        *("--profile", str(ROOT / "profiles/slurm"), "--nolock"),
        *arguments,
        *("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "5"),
        *("--slurm-keep-successful-logs", "--slurm-logdir", str(study.folder / "slurm")),
        *("--configfile", str(study.overlay)),
    ]


def snakemake(cluster: Cluster, study: Study, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(study, *arguments),
        cwd=study.folder,  # other tests watch that no file appears in the checkout
        env=cluster.environment,
        capture_output=True,
        text=True,
        timeout=3600,
        check=False,
    )


def wait_until(condition) -> None:
    deadline = time.monotonic() + 3600
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture(scope="module")
def study(cluster, tmp_path_factory) -> Study:
    """A study whose Snakemake was killed while jobs ran, and started again."""
    backbones = {"mini-rn": {"methods": METHODS}, "mini-vit": {"methods": ["zero_shot"]}}
    study = Study.create(tmp_path_factory.mktemp("slurm"), backbones=backbones)
    with subprocess.Popen(
        command(study),
        cwd=study.folder,  # other tests watch that no file appears in the checkout
        env=cluster.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as controller:
        try:
            tuned = study.results / "runs/symbols/mini-rn"
            wait_until(lambda: list(tuned.glob("*/*/fp-8/seed-2/metrics.json")))
            assert controller.poll() is None
            assert cluster.queue()
        finally:
            os.killpg(controller.pid, signal.SIGKILL)
    wait_until(lambda: not cluster.queue())  # SLURM finishes the jobs that it has begun
    said = snakemake(cluster, study)
    assert said.returncode == 0, said.stdout + said.stderr
    return study


@pytest.fixture(scope="module")
def records(cluster, study) -> list[Record]:
    """The study's jobs."""
    return cluster.records()


def test_the_study_is_complete(study):
    runs = read_parquet(study.results / "runs.parquet", RUNS)
    assert len(runs) == RUNS_IN_ALL
    assert (study.results / "report.html").is_file()


def test_jobs_finished_before_the_kill_do_not_run_again(records):
    assert {record.state for record in records} == {"COMPLETED"}
    assert set(Counter(record.comment for record in records).values()) == {1}


def most_at_once(records: list[Record]) -> int:
    """The most jobs that ran in the same second; the last second of a job does not count."""
    return max(sum(one.start <= other.start < one.end for one in records) for other in records)


def device(record: Record) -> str:
    """The value of CUDA_VISIBLE_DEVICES that a GPU job wrote to its log."""
    (log,) = set(re.findall(r"\S+/logs/\S+\.log", record.output.read_text()))
    return re.search(r"CUDA_VISIBLE_DEVICES: (.*)\)", Path(log).read_text())[1]


def test_two_gpu_jobs_run_at_once_each_on_its_own_gpu(records):
    assert len(records) == GPU_JOBS  # jobs without a GPU ran beside Snakemake, not on SLURM
    assert {record.gpus for record in records} == {1}
    assert most_at_once(records) == GPUS
    devices = {record.comment: device(record) for record in records}
    assert set(devices.values()) == {"0", "1"}
    for one, other in combinations(records, 2):
        if one.start < other.end and other.start < one.end:
            assert devices[one.comment] != devices[other.comment]


def test_a_failing_job_is_retried_with_more_memory_and_reported(cluster, study, tmp_path):
    broken = Study.create(tmp_path)
    for folder in ("data", "results"):
        shutil.copytree(study.folder / folder, tmp_path / folder)
    (broken.results / "features/symbols/mini-rn.npy").write_text("not an array")
    target = broken.results / "pseudolabels/symbols/mini-rn.parquet"
    before = len(cluster.records())
    said = snakemake(cluster, broken, str(target), "--retries", "1")
    assert said.returncode != 0
    assert "mini-rn.npy: damaged" in said.stdout + said.stderr
    tried = [(record.state, record.mem_mb) for record in cluster.records()[before:]]
    assert tried == [("FAILED", 4000), ("FAILED", 8000)]
    assert not target.exists()
