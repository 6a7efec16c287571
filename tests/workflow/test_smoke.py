"""The whole DAG for real: what it leaves, what it redoes, and what a kill cannot break."""

import os
import re
import shutil
import signal
import subprocess
import time
from itertools import product
from pathlib import Path

import pandas as pd
import pytest

from ptnl.io import read_json, read_metadata, read_parquet
from ptnl.schemas import HISTORY, PSEUDO_LABELS, RUN_FILES, RUN_KEYS, RUNS, SUMMARY
from ptnl.study.layouts import FIGURES, TABLES
from tests.workflow.conftest import Study

# Zero-shot twice; 17 methods with mini-rn and 2 with mini-vit, 2 rates, 2 seeds; 2 methods under
# confusion noise at one rate; 3 on pseudo-labels.
EXPECTED_RUNS = 2 + (17 + 2) * 2 * 2 + 2 * 2 + 3 * 2
ONE_SWEEP = {
    "all": 1,
    "collect_runs": 1,
    "make_table": 9,
    "plot_figure": 5,  # not Figure 6; Figure 4 only where gradients are measured
    "check_claims": 1,
    "report_noise": 1,
    "report_cost": 1,
    "write_report": 1,
}


def numbers(study: Study) -> pd.DataFrame:
    """The run table without what a clock or a commit decides."""
    runs = read_parquet(study.results / "runs.parquet", RUNS)
    return runs.drop(columns=["job_seconds", "memory_gib", "commit"])


def test_every_artefact_is_there(smoke):
    runs = read_parquet(smoke.results / "runs.parquet", RUNS)
    assert len(runs) == EXPECTED_RUNS
    assert not runs.duplicated(list(RUN_KEYS)).any()
    assert runs.accuracy.between(0, 100).all()
    noisy = runs[runs.noise.isin(["symmetric", "confusion"])]
    assert (noisy.rate_realised == noisy.rate).all()
    assert (noisy.shots_per_class == noisy.shots).all()
    for run in runs[runs.method != "zero_shot"].itertuples():
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
    for number, extension in product(TABLES, ("csv", "md", "tex")):
        assert (smoke.results / f"tables/table{number}.{extension}").stat().st_size > 100
    for number, extension in product(FIGURES, ("svg", "pdf", "png")):
        assert (smoke.results / f"figures/figure{number}.{extension}").stat().st_size > 1000
    report = (smoke.results / "report.html").read_text()
    assert all(f"<strong>Table {number}.</strong>" in report for number in TABLES)
    assert report.count("data:image/svg+xml") == len(FIGURES)
    claims = pd.read_csv(smoke.results / "claims.csv")
    assert set(claims.verdict) == {"not enough runs"}  # of two seeds
    assert (smoke.results / "claims.md").read_text().count("not enough runs") > len(claims)
    noise = pd.read_csv(smoke.results / "noise.csv").set_index(["noise", "fp"])
    found = noise.loc["symmetric", ["rate_realised", "shots_per_class", "draws"]]
    assert found.to_numpy().tolist() == [[0, 16, 2], [50, 16, 2]]
    zero_shot = pd.read_csv(smoke.results / "zeroshot.csv")
    assert zero_shot.backbone.tolist() == ["mini-rn", "mini-vit"]
    assert set(zero_shot.verdict) == {"nothing published"}
    assert pd.read_csv(smoke.results / "datasets.csv").skipped.tolist() == [0]
    for section in ("Data sets", "Zero-shot accuracy"):
        assert f"<strong>{section}" in report
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
        measured = {"collect_gradients": 1, "plot_figure": 6}
        assert smoke.planned() == {**ONE_SWEEP, **measured, "tune_method_symmetric": 1}
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


def outputs_by_end(said: str) -> tuple[list[Path], list[Path]]:
    """Files of the jobs that Snakemake called finished, and of those that it only began."""
    ended = set(re.findall(r"Finished jobid: (\d+)", said))
    job = r"^(?:local)?rule \w+:\n(?:    .*\n)*?    output: (.*)\n(?:    .*\n)*?    jobid: (\d+)$"
    finished, begun = [], []
    for files, number in re.findall(job, said, flags=re.M):
        (finished if number in ended else begun).extend(map(Path, files.split(", ")))
    return finished, begun


def test_killed_and_restarted_it_redoes_what_was_not_finished_and_gives_the_same_numbers(
    smoke, tmp_path
):
    few = {"mini-rn": ["zero_shot", "prompt_ce", "classifier_r", "linear_probe"]}
    few["mini-vit"] = ["zero_shot"]
    study = Study.create(
        tmp_path, backbones={name: {"methods": methods} for name, methods in few.items()}
    )
    first = tmp_path / "first.log"
    with (
        first.open("w") as log,
        subprocess.Popen(
            study.command(), cwd=study.folder, stdout=log, stderr=log, start_new_session=True
        ) as process,
    ):
        deadline = time.monotonic() + 300
        while not list(study.results.glob("runs/symbols/mini-rn/*/symmetric/fp-0/*/metrics.json")):
            assert process.poll() is None, "finished before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    finished, begun = outputs_by_end(first.read_text())
    written = {file: file.stat().st_mtime_ns for file in begun if file.exists()}
    assert any(file.name == "metrics.json" for file in written)  # a sweep was cut in the middle
    kept = {file: file.stat().st_mtime_ns for file in finished}
    said = study.snakemake()
    assert said.returncode == 0, said.stdout + said.stderr
    assert kept == {file: file.stat().st_mtime_ns for file in kept}
    assert not [file for file in written if file.stat().st_mtime_ns == written[file]]
    again = numbers(study)
    whole = numbers(smoke).set_index(list(RUN_KEYS))
    undisturbed = whole.loc[pd.MultiIndex.from_frame(again[list(RUN_KEYS)])].reset_index()
    assert len(again) == 2 + 2 * 2 * 3 + 2 * 2  # zero-shot, symmetric, confusion
    pd.testing.assert_frame_equal(again, undisturbed[list(again.columns)])


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
    # Features that are done stay hidden, for the call that goes on behind them.
    left = target.parent.glob("*") if target.parent.exists() else []
    assert {path.name for path in left} <= {f".{target.name}.partial"}
