"""A real run of a whole study: its files, what runs again after a change, and a kill in between."""

import os
import shutil
import signal
import time
from itertools import product

import numpy as np
import pandas as pd
import pytest
import yaml

import ptnl
from ptnl.io import read_json, read_metadata, read_parquet
from ptnl.schemas import HISTORY, PSEUDO_LABELS, RUN_FILES, RUN_KEYS, RUNS, SUMMARY
from ptnl.study.layouts import FIGURES, TABLES, fillable
from tests.faults.log import jobs_in
from tests.faults.studies import FEW
from tests.warm import begin
from tests.workflow.conftest import Study

# Zero-shot with both backbones; 17 methods with mini-rn and 2 with mini-vit, at 2 rates, with 2
# seeds; 2 methods under confusion noise at one rate; 3 methods on pseudo-labels.
EXPECTED_RUNS = 2 + (17 + 2) * 2 * 2 + 2 * 2 + 3 * 2
ONE_SWEEP = {
    "all": 1,
    "collect_runs": 1,
    "make_table": 6,  # Tables 6, 7 and 9 would repeat Tables 1, 2 and 4
    "plot_figure": 4,  # not Figure 6, and Figure 4 only where gradients are measured
    "make_overview": 1,
    "collect_details": 1,
    "collect_predictions": 1,
    "select_hard_images": 1,
    "plot_details": 1,
    "check_claims": 1,
    "report_noise": 1,
    "report_cost": 1,
    "write_report": 1,
}


def numbers(study: Study) -> pd.DataFrame:
    """The run table without the columns that depend on the clock or the commit."""
    runs = read_parquet(study.results / "runs.parquet", RUNS)
    return runs.drop(columns=["job_seconds", "memory_gib", "commit"])


def test_a_finished_study_has_all_its_files(smoke):
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
    config = yaml.safe_load((smoke.results / "config.yaml").read_text())
    assert config["methods"]["prompt_ce"]["epochs"] == 2
    tables, figures = fillable(TABLES, config), fillable(FIGURES, config)
    assert (len(tables), len(figures)) == (6, 6)
    for name, extension in product(
        [*(f"table{number}" for number in tables), "overview"], ("csv", "md", "tex")
    ):
        assert (smoke.results / f"tables/{name}.{extension}").stat().st_size > 100
    own = ("overview", "classes_symbols", "confusion_symbols", "learning_symbols")
    for name, extension in product(
        [*(f"figure{number}" for number in figures), *own], ("svg", "pdf", "png")
    ):
        assert (smoke.results / f"figures/{name}.{extension}").stat().st_size > 1000
    report = (smoke.results / "report.html").read_text()
    assert all(f"<strong>Table {number}.</strong>" in report for number in tables)
    assert report.count("<svg ") == len(figures) + len(own)
    claims = pd.read_csv(smoke.results / "claims.csv")
    assert set(claims.verdict) == {"not enough runs"}  # two seeds are too few
    assert (smoke.results / "claims.md").read_text().count("2 of 4 seeds") >= len(claims)
    overview = pd.read_csv(smoke.results / "tables/overview.csv")
    assert set(runs.method) <= set(overview.method)
    assert len(pd.read_csv(smoke.results / "runs.csv")) == EXPECTED_RUNS
    results = ptnl.results(smoke.results)
    for run in results.runs[results.runs.method == "prompt_gce"].itertuples():
        # Stored logits are rounded to float16. Where two become equal, either may come first.
        right = 100 * results.predictions(run).correct.mean()
        assert right == pytest.approx(run.accuracy, abs=0.5)
    shown = results.classes.groupby(["backbone", "method", "noise", "fp"]).apply(
        lambda rows: np.average(rows["mean"], weights=rows.images)
    )
    means = results.summary.set_index(["backbone", "method", "noise", "fp"])["mean"]
    # Per-class accuracy is computed from the stored float16 logits.
    pd.testing.assert_series_equal(
        shown.sort_index(), means.sort_index(), check_names=False, atol=0.5
    )
    noise = pd.read_csv(smoke.results / "noise.csv").set_index(["noise", "fp"])
    found = noise.loc["symmetric", ["rate_realised", "shots_per_class", "draws"]]
    assert found.to_numpy().tolist() == [[0, 16, 2], [50, 16, 2]]
    zero_shot = pd.read_csv(smoke.results / "zeroshot.csv")
    assert zero_shot.backbone.tolist() == ["mini-rn", "mini-vit"]
    assert set(zero_shot.verdict) == {"nothing published"}
    assert pd.read_csv(smoke.results / "datasets.csv").skipped.tolist() == [0]
    norms = pd.read_csv(smoke.results / "feature_norms.csv")
    assert norms.backbone.tolist() == ["mini-rn", "mini-vit"]
    assert (norms.low < norms["mean"]).all()
    assert (
        "The linear probe has C = 1000 on features" in (smoke.results / "datasets.md").read_text()
    )
    for section in ("Data sets", "Zero-shot accuracy"):
        assert f"<strong>{section}" in report
    leftovers = [p for p in smoke.results.rglob(".*") if p.is_file()]
    assert leftovers == []


def test_label_confused_is_the_wrong_class_that_zero_shot_prefers(smoke):
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
def test_a_lost_file_reruns_its_sweep_and_what_follows(smoke, file):
    folder = smoke.results / "runs/symbols/mini-rn/prompt_ce/symmetric/fp-8/seed-2"
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)
    (folder / file).unlink()
    try:
        measured = {"collect_gradients": 1, "plot_figure": 5}
        assert smoke.planned() == {**ONE_SWEEP, **measured, "tune_method_symmetric": 1}
    finally:
        shutil.copy2(kept / file, folder / file)
        shutil.rmtree(kept)


def test_a_changed_hyper_parameter_reruns_only_its_method(smoke):
    text = smoke.overlay.read_text()
    changed = Study.create(smoke.folder, methods={"classifier_r": {"epochs": 3}})
    try:
        expected = {**ONE_SWEEP, "tune_method_symmetric": 1, "write_config": 1}
        assert changed.planned() == expected
    finally:
        smoke.overlay.write_text(text)


# A script that runs Snakemake and its job server. The job that writes a certain run waits there for
# ever, in the middle of its sweep, until it is killed.
HOLD = """
import os, signal, sys, tempfile, time
from pathlib import Path
from snakemake.cli import main
from ptnl.cli import job
from ptnl.machine import job_server

def replace(source, target, move=os.replace):
    if str(target).endswith("symmetric/fp-8/seed-1/metrics.json"):
        Path(os.environ["HELD"]).touch()
        signal.pause()
    move(source, target)

os.replace = replace
address = Path(tempfile.mkdtemp(prefix=job_server.FOLDER)) / "socket"
until, held_open = os.pipe()
if os.fork() == 0:
    os.close(held_open)
    os.dup2(until, 0)
    job_server.serve(address, job.run, ())
while not address.exists():
    time.sleep(0.02)
os.environ[job_server.ADDRESS] = str(address)
main()
"""


def test_a_killed_study_reruns_only_unfinished_jobs_and_gets_the_same_numbers(smoke, tmp_path):
    few = {"mini-rn": FEW["mini-rn"], "mini-vit": None}
    study = Study.create(tmp_path, backbones=few)
    # The run table, which all tables and figures are made of.
    targets = [str(study.results / "runs.parquet")]
    group, held, script = (tmp_path / name for name in ("group", "held", "hold.py"))
    script.write_text(HOLD)
    command = ["python", str(script), *study.command(*targets)[1:]]
    call = begin(command, study.folder, group, {**os.environ, "HELD": str(held)})
    while not held.exists():
        assert not call.done(), call.result().stderr
        time.sleep(0.05)
    os.killpg(int(group.read_text()), signal.SIGKILL)
    killed = call.result()
    assert killed.returncode == 128 + signal.SIGKILL
    jobs = jobs_in(killed.stdout + killed.stderr)
    finished = [file for job in jobs if job.finished for file in job.outputs]
    begun = [file for job in jobs if not job.finished for file in job.outputs]
    written = {file: file.stat().st_mtime_ns for file in begun if file.exists()}
    assert any(file.name == "metrics.json" for file in written)  # a sweep was cut in the middle
    kept = {file: file.stat().st_mtime_ns for file in finished}
    said = study.snakemake(*targets)
    assert said.returncode == 0, said.stdout + said.stderr
    assert kept == {file: file.stat().st_mtime_ns for file in kept}
    assert not [file for file in written if file.stat().st_mtime_ns == written[file]]
    again = numbers(study)
    whole = numbers(smoke).set_index(list(RUN_KEYS))
    undisturbed = whole.loc[pd.MultiIndex.from_frame(again[list(RUN_KEYS)])].reset_index()
    assert len(again) == 1 + 2 * 2 * 3 + 2 * 2  # zero-shot, symmetric, confusion
    pd.testing.assert_frame_equal(again, undisturbed[list(again.columns)])


@pytest.mark.parametrize(
    ("breaks", "sentence"),
    [
        ("image", "not readable as an image"),
        ("class", "fewer than the 100 to draw"),
    ],
)
def test_bad_input_is_answered_with_one_sentence_and_leaves_no_output(
    smoke, tmp_path, breaks, sentence
):
    shutil.copytree(smoke.folder / "data", tmp_path / "data")
    changes = {"shots": 100} if breaks == "class" else {}
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
    # Finished features stay in a hidden file, so that the next call can resume.
    left = target.parent.glob("*") if target.parent.exists() else []
    assert {path.name for path in left} <= {f".{target.name}.partial"}
