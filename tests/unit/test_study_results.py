"""Working with a study's results: tables, logits and predictions; packing and unpacking."""

import json
import re
import tarfile

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import ptnl
from ptnl.cli import pack, unpack
from ptnl.errors import InputError
from ptnl.schemas import CLASS_ACCURACY, CURVES, MISTAKES, RUNS, SUMMARY
from ptnl.training.run import Run
from tests.unit.made_up import CLASSES, IMAGES, study
from tests.unit.made_up_report import reported


def test_results_are_read_as_tidy_tables(tmp_path):
    results = ptnl.results(study(tmp_path / "toy"))
    for frame, schema in (
        (results.runs, RUNS),
        (results.summary, SUMMARY),
        (results.classes, CLASS_ACCURACY),
        (results.mistakes, MISTAKES),
        (results.curves, CURVES),
    ):
        assert list(frame.columns) == list(schema)
        assert len(frame)
    assert results.config["shots"] == 16
    assert results.class_names("icons") == list(CLASSES)


def test_logits_and_predictions_of_every_run_are_read(tmp_path):
    results = ptnl.results(str(study(tmp_path / "toy")))
    for run in results.runs.itertuples():
        assert results.logits(run).shape == (IMAGES, len(CLASSES))
        predictions = results.predictions(run)
        assert 100 * predictions.correct.mean() == pytest.approx(run.accuracy)
    named = Run("icons", "mini-rn", "prompt_ce", "symmetric", 8, 1)
    assert results.history(named).epoch.tolist() == [1, 2, 3]
    with pytest.raises(InputError, match=r"seed-9/logits\.npy: not readable"):
        results.logits(Run("icons", "mini-rn", "prompt_ce", "symmetric", 8, 9))


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no results of a study, for there is no config\.yaml"):
        ptnl.results(tmp_path)


def test_results_are_the_same_after_packing_and_unpacking(tmp_path, capsys):
    folder = study(tmp_path / "here/toy")
    (folder / "features/icons").mkdir(parents=True)
    (folder / "features/icons/mini-rn.npy").write_bytes(b"large")
    (folder / ".half-written").write_bytes(b"")
    file = tmp_path / "toy.tar.gz"
    pack.main([str(folder), "--out", str(file)])
    unpack.main([str(file), "--into", str(tmp_path / "there")])
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "there/toy")
    there = ptnl.results(tmp_path / "there/toy")
    pd.testing.assert_frame_equal(there.runs, ptnl.results(folder).runs)
    run = next(there.runs.itertuples())
    assert np.array_equal(there.logits(run), ptnl.results(folder).logits(run))
    assert not (there.folder / "features").exists()
    assert not (there.folder / ".half-written").exists()
    before, after = folder / "runs.parquet", there.folder / "runs.parquet"
    assert int(after.stat().st_mtime) == int(before.stat().st_mtime)


def test_unpacking_overwrites_nothing_and_leaves_nothing_incomplete(tmp_path):
    file = tmp_path / "toy.tar.gz"
    pack.main([str(study(tmp_path / "toy")), "--out", str(file)])
    with pytest.raises(InputError, match="toy: is there already"):
        unpack.main([str(file), "--into", str(tmp_path)])
    cut = tmp_path / "cut.tar.gz"
    cut.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    for bad, sentence in ((cut, "not readable"), (tmp_path / "none.tar.gz", "not readable")):
        with pytest.raises(InputError, match=sentence):
            unpack.main([str(bad), "--into", str(tmp_path / "there")])
    other = tmp_path / "other.tar.gz"
    with tarfile.open(other, "w:gz") as archive:
        archive.add(cut, "readme")
    with pytest.raises(InputError, match=r"holds no study's config\.yaml"):
        unpack.main([str(other), "--into", str(tmp_path / "there")])
    assert list((tmp_path / "there").iterdir()) == []
    with pytest.raises(InputError, match="no results of a study"):
        pack.main([str(tmp_path / "there"), "--out", str(file)])


def test_the_notebook_answers_its_questions(tmp_path, root, capsys, monkeypatch):
    """Every code cell runs on made-up results, and computes their known effects."""
    monkeypatch.chdir(study(tmp_path / "results/embedded").parents[1])
    notebook = json.loads((root / "workflow/docs/own_question.ipynb").read_text())
    cells = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    assert all(c.get("outputs", []) == [] for c in notebook["cells"])
    shown: dict = {}
    with mpl.rc_context({"backend": "agg"}):
        for cell in cells:
            exec(compile(cell, "own_question.ipynb", "exec"), shown)
    runs = ptnl.results("results/embedded").runs
    at_8 = runs[runs.fp == 8].groupby("method").accuracy.mean()
    expected = at_8["prompt_ce"] - at_8["linear_probe"]
    assert capsys.readouterr().out.startswith(
        f"prompt_ce minus linear_probe: {expected:+.1f} points ["
    )
    assert shown["differences"].index.isin(CLASSES).all()
    assert shown["errors"].shape == (2, 4)
    assert shown["errors"].to_numpy().min() > 0


def test_the_examples_of_the_page_run(tmp_path, root, monkeypatch):
    monkeypatch.chdir(reported(tmp_path / "results/embedded").parents[1])
    page = (root / "workflow/docs/results.md").read_text()
    examples = re.findall(r"^```python\n(.*?)^```", page, flags=re.M | re.S)
    shown: dict = {}
    for example in examples:
        exec(compile(example, "results.md", "exec"), shown)
    wrong = shown["wrong"]
    assert len(wrong)
    assert (wrong.margin < 0).all()
