"""The whole DAG for real: what it leaves, what it redoes, and what a kill cannot break."""

import os
import shutil
import signal
import subprocess
import time

import pandas as pd
import pytest

from ptnl.io import read_json, read_metadata, read_parquet
from ptnl.schemas import HISTORY, PSEUDO_LABELS, RUN_FILES, RUN_KEYS, RUNS, SUMMARY
from tests.workflow.conftest import ROOT, Study

EXPECTED_RUNS = 1 + 9 * 2 * 2  # zero-shot, and 9 methods x 2 rates x 2 seeds
ONE_SWEEP = {
    "all": 1,
    "collect_runs": 1,
    "make_table": 1,
    "plot_figure": 1,
    "check_claims": 1,
    "report_noise": 1,
    "write_report": 1,
}


def numbers(study: Study) -> pd.DataFrame:
    """The run table without what a clock or a commit decides."""
    runs = read_parquet(study.results / "runs.parquet", RUNS)
    return runs.drop(columns=["seconds", "commit"])


def test_every_artefact_is_there(smoke):
    runs = read_parquet(smoke.results / "runs.parquet", RUNS)
    assert len(runs) == EXPECTED_RUNS
    assert not runs.duplicated(list(RUN_KEYS)).any()
    assert runs.accuracy.between(0, 100).all()
    trained = runs[runs.method != "zero_shot"]
    assert (trained.rate_realised == trained.rate).all()
    assert (trained.shots_per_class == trained.shots).all()
    for run in trained.itertuples():
        folder = (
            smoke.results
            / "runs"
            / run.dataset
            / run.backbone
            / run.method
            / run.noise
            / f"fp-{run.fp}"
            / f"seed-{run.seed}"
        )
        assert all((folder / file).is_file() for file in RUN_FILES)
        history = read_parquet(folder / "history.parquet", HISTORY)
        assert len(history) == (run.epochs or 1)
        assert read_metadata(folder / "history.parquet")["commit"] == run.commit
        assert read_json(folder / "metrics.json")["libraries"]["torch"] == run.torch
    assert set(read_parquet(smoke.results / "summary.parquet", SUMMARY).n) == {1, 2}
    for file in ("table1.csv", "table1.md", "table1.tex"):
        assert (smoke.results / "tables" / file).stat().st_size > 100
    for file in ("figure2.svg", "figure2.pdf", "figure2.png"):
        assert (smoke.results / "figures" / file).stat().st_size > 1000
    claims = pd.read_csv(smoke.results / "claims.csv")
    assert set(claims.verdict) == {"not enough runs"}  # of two seeds
    assert (smoke.results / "claims.md").read_text().count("not enough runs") > len(claims)
    noise = pd.read_csv(smoke.results / "noise.csv")
    assert noise[["fp", "rate_realised", "shots_per_class", "draws"]].to_numpy().tolist() == [
        [0, 0, 16, 2],
        [8, 50, 16, 2],
    ]
    leftovers = [p for p in smoke.results.rglob(".*") if p.is_file()]
    assert leftovers == []


def test_the_confused_class_is_zero_shots_favourite_among_the_wrong_ones(smoke):
    labels = read_parquet(smoke.results / "pseudolabels/symbols/mini-rn.parquet", PSEUDO_LABELS)
    assert (labels.label_confused != labels.label).all()
    mistaken = labels[labels.label_pseudo != labels.label]
    assert len(mistaken) > 0
    assert (mistaken.label_confused == mistaken.label_pseudo).all()


def test_a_second_run_does_nothing_and_says_so(smoke):
    said = smoke.snakemake()
    assert said.returncode == 0
    assert "Nothing to be done" in said.stdout + said.stderr


@pytest.mark.parametrize("file", ["metrics.json", "logits.npy"])
def test_a_lost_file_redoes_its_sweep_and_what_follows(smoke, file):
    folder = smoke.results / "runs/symbols/mini-rn/prompt_ce/symmetric/fp-8/seed-2"
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    (folder / file).unlink()
    try:
        assert smoke.planned() == {**ONE_SWEEP, "tune_method_symmetric": 1}
    finally:
        shutil.copy2(kept / file, folder / file)
        shutil.rmtree(kept)


def test_a_hyper_parameter_redoes_its_method_alone(smoke):
    text = smoke.overlay.read_text()
    changed = Study.create(smoke.folder, methods={"classifier_r": {"epochs": 3}})
    try:
        assert changed.planned() == {**ONE_SWEEP, "tune_method_symmetric": 1}
    finally:
        smoke.overlay.write_text(text)


def test_killed_and_restarted_it_gives_the_same_numbers(smoke, tmp_path):
    study = Study.create(tmp_path)
    with subprocess.Popen(
        study.command(),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        deadline = time.monotonic() + 300
        while not list(study.results.glob("runs/symbols/mini-rn/*/symmetric/fp-0/*/metrics.json")):
            assert process.poll() is None, "finished before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    said = study.snakemake()
    assert said.returncode == 0, said.stdout + said.stderr
    pd.testing.assert_frame_equal(numbers(study), numbers(smoke))


@pytest.mark.parametrize(
    ("breaks", "sentence"),
    [
        ("image", "not readable as an image"),
        ("class", "fewer than the 25 to draw"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(smoke, tmp_path, breaks, sentence):
    shutil.copytree(smoke.folder / "data", tmp_path / "data")
    changes = {"shots": 25} if breaks == "class" else {}
    study = Study.create(tmp_path, **changes)
    if breaks == "image":
        next((tmp_path / "data/symbols/images").rglob("*.png")).write_bytes(b"not a picture")
    target = {
        "image": study.results / "features/symbols/mini-rn.npy",
        "class": study.results / "shots/symbols/seed-1.parquet",
    }[breaks]
    said = study.snakemake(str(target))
    assert said.returncode != 0
    log = said.stdout + said.stderr
    (line,) = {line.strip() for line in log.splitlines() if sentence in line}
    assert line.startswith("error: ")
    assert "Traceback" not in log
    assert not target.exists()
    assert not list(target.parent.glob("*")) if target.parent.exists() else True
