"""The table of a study's cost, and the records of jobs that it is made of."""

import itertools
import signal
import subprocess
import sys

import pandas as pd
import psutil
import pytest
import torch

from ptnl.analysis.aggregate import runs_table
from ptnl.analysis.cost import cost_table, markdown
from ptnl.cli import job
from ptnl.cli.job import write_record
from ptnl.errors import InputError
from ptnl.schemas import COST
from ptnl.study.job_records import read_records
from ptnl.training.run_files import job_cost
from tests.unit.made_up import metrics
from tests.unit.markdown import unpadded

# Two jobs of two runs each take an hour each; a zero-shot job takes half an hour.
RUNS = runs_table(
    [metrics(method, fp, 1, 70) for method in ("linear_probe", "prompt_ce") for fp in (0, 8)]
    + [{**metrics("zero_shot", 0, 0, 60, noise="none"), "job_runs": 1, "job_seconds": 1800.0}]
)
RECORDS = pd.DataFrame(
    [("encode_images", 1800.0, 2.5), ("encode_images", 1800.0, 1.5), ("tune_method", 9e9, 9.0)],
    columns=["stage", "seconds", "memory_gib"],
)


def test_a_jobs_time_counts_once():
    table = cost_table(RUNS, RECORDS, {"prompt_ce": 1})
    assert list(table.columns) == list(COST)
    counted = ["stage", "method", "jobs", "runs", "hours", "memory_gib"]
    assert table[counted].to_numpy().tolist() == [
        ["encode_images", "", 2, 0, 1.0, 2.5],
        ["pseudolabel_zeroshot", "zero_shot", 1, 1, 0.5, 0.5],
        ["tune_method", "prompt_ce", 1, 2, 1.0, 0.5],
        ["tune_method", "linear_probe", 1, 2, 1.0, 0.5],
    ]
    assert table.device.tolist() == ["", "cpu", "cpu", "cpu"]
    assert table.encodings_a_step.tolist() == [0, 0, 1, 0]
    assert table.seconds_a_run[1:].tolist() == [1800.0, 1800.0, 1800.0]


def test_devices_are_kept_apart():
    runs = RUNS.assign(device=["cpu", "H100", "cpu", "H100", "cpu"])
    assert len(cost_table(runs, RECORDS[:0], {})) == 5


def test_the_last_row_of_the_markdown_table_sums_up():
    text = unpadded(markdown(cost_table(RUNS, RECORDS, {"prompt_ce": 1}), "toy"))
    assert "| tune_method | Linear probe | cpu | 1 | 2 | 1:00:00 | 1800.00 |  | 0.50 |" in text
    assert text.endswith("| All |  |  | 5 | 5 | 3:30:00 |  |  | 2.50 |")
    assert "Device memory" not in text  # all of these ran on a CPU


def test_records_are_read_as_jobs_write_them(tmp_path):
    file = tmp_path / "tune_method/icons/mini-rn/upl/pseudo_confident.tsv"
    write_record(file, 9.56, 2**30)
    (job,) = read_records(tmp_path).items()
    assert job[0] == "tune_method/icons/mini-rn/upl/pseudo_confident.tsv"
    assert (job[1].seconds, job[1].memory_gib) == (9.56, 1.0)
    assert read_records(tmp_path / "none") == {}
    file.write_text(file.read_text().splitlines()[0])
    with pytest.raises(InputError, match=r"pseudo_confident\.tsv: not readable as the record"):
        read_records(tmp_path)


def test_a_job_on_a_full_disk_says_so_and_leaves_no_record(small_disk, capsys):
    (small_disk / "all").write_bytes(bytes(1 << 20))
    with pytest.raises(SystemExit) as ended:
        write_record(small_disk / "a.tsv", 1.0, 2**30)
    assert ended.value.code == 2
    assert "a.tsv: cannot be written (No space left on device)" in capsys.readouterr().err
    assert not (small_disk / "a.tsv").exists()


KILLED_JOB = """
import os, pathlib, signal, sys
from ptnl.temporary import temporary_beside
with temporary_beside(pathlib.Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_job_left_of_its_record_goes_with_the_next_one(tmp_path):
    record, kept = tmp_path / "a.tsv", tmp_path / ".a.tsv.1234"
    kept.write_text("a user's")
    said = subprocess.run([sys.executable, "-c", KILLED_JOB, record], check=False)
    assert said.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    assert read_records(tmp_path) == {}
    write_record(record, 9.56, 2**30)
    assert set(tmp_path.iterdir()) == {record, kept}
    assert read_records(tmp_path)["a.tsv"].seconds == 9.56


def test_a_record_that_cannot_be_written_leaves_what_is_there(tmp_path, capsys):
    (tmp_path / "a.tsv").mkdir()
    (tmp_path / "a.tsv/mine").touch()
    with pytest.raises(SystemExit) as ended:
        write_record(tmp_path / "a.tsv", 1.0, 2**30)
    assert ended.value.code == 2
    assert "a.tsv: cannot be written" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["a.tsv", "mine"]


def test_a_clock_that_is_set_back_gives_no_job_a_negative_time(tmp_path, monkeypatch):
    clock = itertools.count(2e9, -1e6)
    monkeypatch.setattr("ptnl.cli.job.time.time", lambda: next(clock))
    with pytest.raises(SystemExit):
        job.main(["--record", str(tmp_path / "plan.log"), "plan", "--help"])
    (record,) = read_records(tmp_path).values()
    assert record.seconds >= 0


def test_a_process_knows_its_time_and_memory(monkeypatch):
    begun = psutil.Process().create_time()
    monkeypatch.setattr("ptnl.training.run_files.time.time", lambda: begun + 12.5)
    cost = job_cost(3, torch.device("cpu"))
    assert cost.job_seconds == pytest.approx(12.5)
    assert (cost.job_runs, cost.device, cost.device_gib) == (3, "cpu", 0)
    assert 0.05 < cost.memory_gib < 64  # this process holds torch
