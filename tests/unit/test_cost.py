"""What a study has cost."""

import subprocess
import sys
import time

import pandas as pd
import pytest
import torch

from ptnl.analysis.aggregate import runs_table
from ptnl.analysis.cost import cost_table, markdown
from ptnl.errors import InputError
from ptnl.schemas import COST
from ptnl.study.job_records import read_benchmarks
from ptnl.training.run_files import job_cost
from tests.unit.markdown import unpadded
from tests.unit.test_results import metrics

# Two jobs of two runs each, an hour a job, and a zero-shot job of half an hour.
RUNS = runs_table(
    [metrics(method, fp, 1, 70) for method in ("linear_probe", "prompt_ce") for fp in (0, 8)]
    + [{**metrics("zero_shot", 0, 0, 60, noise="none"), "job_runs": 1, "job_seconds": 1800.0}]
)
BENCHMARKS = pd.DataFrame(
    [("encode_images", 1800.0, 2.5), ("encode_images", 1800.0, 1.5), ("tune_method", 9e9, 9.0)],
    columns=["stage", "seconds", "memory_gib"],
)


def test_a_jobs_time_counts_once():
    table = cost_table(RUNS, BENCHMARKS)
    assert list(table.columns) == list(COST)
    counted = ["stage", "method", "jobs", "runs", "hours", "memory_gib"]
    assert table[counted].to_numpy().tolist() == [
        ["encode_images", "", 2, 0, 1.0, 2.5],
        ["pseudolabel_zeroshot", "zero_shot", 1, 1, 0.5, 0.5],
        ["tune_method", "prompt_ce", 1, 2, 1.0, 0.5],
        ["tune_method", "linear_probe", 1, 2, 1.0, 0.5],
    ]
    assert table.device.tolist() == ["", "cpu", "cpu", "cpu"]


def test_devices_are_kept_apart():
    runs = RUNS.assign(device=["cpu", "H100", "cpu", "H100", "cpu"])
    assert len(cost_table(runs, BENCHMARKS[:0])) == 5


def test_markdown_sums_up():
    text = unpadded(markdown(cost_table(RUNS, BENCHMARKS), "toy"))
    assert "| tune_method | Linear probe | cpu | 1 | 2 | 1:00:00 | 0.50 |  |" in text
    assert text.endswith("| All |  |  | 5 | 5 | 3:30:00 | 2.50 |  |")


def test_benchmark_files_are_read_as_snakemake_writes_them(tmp_path):
    file = tmp_path / "tune_method/icons/mini-rn/upl/pseudo_confident.tsv"
    file.parent.mkdir(parents=True)
    header = "s\th:m:s\tmax_rss\tmax_vms\n"
    file.write_text(header + "1.5\t0:00:01\t100\t200\n9.56\t0:00:09\t1024.00\t4943.31\n")
    (job,) = read_benchmarks(tmp_path).items()
    assert job[0] == "tune_method/icons/mini-rn/upl/pseudo_confident.tsv"
    assert (job[1].seconds, job[1].memory_gib) == (9.56, 1.0)
    assert read_benchmarks(tmp_path / "none") == {}
    file.write_text(header)
    with pytest.raises(InputError, match=r"pseudo_confident\.tsv: not readable as a benchmark"):
        read_benchmarks(tmp_path)


def test_a_process_knows_what_it_took():
    code = (
        "import time, torch; from ptnl.training.run_files import job_cost; time.sleep(1);"
        "print(job_cost(3, torch.device('cpu')).job_seconds)"
    )
    begun = time.perf_counter()
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 1 < float(said.stdout) <= time.perf_counter() - begun + 0.1  # by another clock
    cost = job_cost(3, torch.device("cpu"))
    assert (cost.job_runs, cost.device, cost.device_gib) == (3, "cpu", 0)
    assert 0.05 < cost.memory_gib < 64  # this process holds torch
