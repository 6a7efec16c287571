"""A study with so many runs that their paths do not fit on one command line."""

import yaml

from ptnl.io import read_parquet, write_json
from ptnl.schemas import RUNS
from ptnl.study.config import read_study
from ptnl.study.grid import runs
from tests.unit.made_up import metrics_of
from tests.warm import called
from tests.workflow.conftest import ROOT, Study

# Results lie in nested folders with long names, so that few runs make a long command line.
NAME = "x" * 200
DEPTH = 10
SEEDS = 150
# Limit of the stack in KiB. Linux allows a command line a quarter of it: with the usual 8 MiB, the
# paths of some 20,000 runs.
STACK = 2048
LIMITED = f"""
import resource
from snakemake.cli import main
_, hard = resource.getrlimit(resource.RLIMIT_STACK)
resource.setrlimit(resource.RLIMIT_STACK, ({STACK * 1024}, hard))
main()
"""


def test_all_runs_are_collected(tmp_path):
    study = Study.create(
        tmp_path,
        backbones={"mini-rn": {"methods": ["prompt_ce"]}, "mini-vit": None},
        seeds=list(range(1, SEEDS + 1)),
    )
    overlay = yaml.safe_load(study.overlay.read_text())
    overlay["pathvars"]["results"] = str(study.results.joinpath(*[NAME] * DEPTH))
    study.overlay.write_text(yaml.safe_dump(overlay))

    planned = runs(read_study(ROOT, [study.overlay], {}))
    files = [study.path(f"<results>/runs/{run.path}/metrics.json") for run in planned]
    assert sum(len(str(file)) for file in files) > STACK * 1024 / 4
    for run, file in zip(planned, files, strict=True):
        write_json(metrics_of(run, 50.0), file)
    table = study.path("<results>/runs.parquet")
    command = study.command(str(table), "--allowed-rules", "collect_runs")
    said = called(["python", "-c", LIMITED, *command[1:]], study.folder)
    assert said.returncode == 0, said.stdout + said.stderr
    assert len(read_parquet(table, RUNS)) == len(planned)
