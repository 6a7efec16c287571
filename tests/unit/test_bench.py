"""`ptnl bench` measures every cost of a step, and marks what it scales.

No test checks how fast a step is: that depends on the machine.
"""

import numpy as np
import pandas as pd
import pytest
import torch

from ptnl.analysis.figures.cost import cost_over_classes_and_runs
from ptnl.bench import step_cost as bench
from ptnl.bench.step_cost import Setting, as_table, bench_backbone, class_names, fastest, measure
from ptnl.cli.bench import main
from ptnl.io import read_metadata, read_parquet
from ptnl.schemas import BENCH
from ptnl.text import context_prompts


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Measure each piece of work once, and the peak with a small matrix product."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench, "SHORTEST", 0.0)
        patch.setattr(bench, "PEAK_SIDE", {"cpu": 64, "cuda": 64})
        yield


@pytest.fixture(scope="module")
def measured(tiny_backbone) -> pd.DataFrame:
    setting = Setting(reference_classes=3, repeats=1, batch_size=2)
    parts = [measure(tiny_backbone, classes, [1, 2], setting) for classes in (3, 6)]
    return pd.concat(parts, ignore_index=True)


def test_every_cost_is_measured(measured):
    assert list(measured.columns) == list(BENCH)
    assert list(zip(measured.classes, measured.runs, strict=True)) == [
        (3, 1),
        (3, 2),
        (6, 1),
        (6, 2),
    ]
    numbers = measured.select_dtypes("number")
    assert np.isfinite(numbers).all(axis=None)
    assert (numbers > 0).all(axis=None)
    assert measured.text_ratio.tolist() == pytest.approx(
        measured.text_seconds_reference / measured.text_seconds
    )
    assert (measured.tokens_reference == 77 * measured.classes).all()


def test_precisions_are_measured_beside_one_reference(tiny_backbone, monkeypatch):
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx512_bf16": True}, raising=False)
    encoder, computed = bench.PromptEncoder, []

    def noted(tower, prompts):
        computed.append(tower.dtype)
        return encoder(tower, prompts)

    monkeypatch.setattr(bench, "PromptEncoder", noted)
    setting = Setting(repeats=1, batch_size=2)
    rows = measure(tiny_backbone, 3, [1, 2], setting, ["float32", "bfloat16"])
    assert rows.precision.tolist() == ["float32", "float32", "bfloat16", "bfloat16"]
    assert computed == [torch.float32, torch.float32, torch.bfloat16, torch.bfloat16]
    assert rows.text_seconds_reference.nunique() == 1
    assert rows.gflops_peak.nunique() == 2
    assert "bfloat16" in as_table(rows)


def test_a_reference_on_fewer_classes_is_scaled_and_marked(measured):
    assert (measured.classes_reference == 3).all()
    assert [line.count("~") for line in as_table(measured).splitlines()[2:]] == [0, 0, 2, 2]


def test_of_the_reference_only_the_text_step_is_scaled(tiny_backbone, monkeypatch):
    seconds = {"plain text": 3.0, "plain whole": 5.0}
    monkeypatch.setattr(
        bench, "fastest", lambda device, repeats, work: dict.fromkeys(work, 1.0) | seconds
    )
    row = measure(tiny_backbone, 6, [2], Setting(reference_classes=2, batch_size=2)).iloc[0]
    assert row.text_seconds_reference == 9
    assert row.step_seconds_reference == 11
    assert row.step_seconds == 0.5  # two runs share one second
    assert row.step_ratio == 22


def test_the_fastest_round_counts(monkeypatch):
    times = iter([3.0, 1.0, 2.0, 4.0])
    monkeypatch.setattr(bench, "_seconds", lambda device, work: next(times))
    work = dict.fromkeys(["a", "b"], lambda: None)
    assert fastest(torch.device("cpu"), 2, work) == {"a": 2, "b": 1}


def test_a_gpu_is_not_given_more_calls_than_needed(monkeypatch):
    """Calls return at once, and time passes where they are waited for."""
    now, due, calls = [0.0], [0.0], []

    def work():
        calls.append(1)
        now[0] += 1e-5
        due[0] = max(due[0], now[0]) + 0.04

    def wait(device):
        now[0] = max(now[0], due[0])

    monkeypatch.setattr(bench, "SHORTEST", 0.2)
    monkeypatch.setattr(bench, "_synchronise", wait)
    monkeypatch.setattr(bench.time, "perf_counter", lambda: now[0])
    assert bench._seconds(torch.device("cuda"), work) == pytest.approx(0.04, rel=1e-3)
    assert 2 <= len(calls) <= 10


def test_class_names_are_as_long_as_those_of_oxford_pets(tokenizer):
    names = class_names(tokenizer, 37)
    assert len(set(names)) == 37
    suffixes = [len(p.tokens) - 17 for p in context_prompts(tokenizer, names, 16)]
    assert sum(suffixes) == 154
    assert len(class_names(tokenizer, 1000)) == 1000


def test_a_backbone_that_is_not_shipped_has_open_clips_shape(monkeypatch):
    shape = {"embed_dim": 8, "vision_cfg": {"layers": 1, "width": 8, "head_width": 8}}
    text = {"text_cfg": {"width": 8, "heads": 1, "layers": 1, "vocab_size": 49408}}
    monkeypatch.setattr(bench.open_clip, "get_model_config", lambda name: shape | text)
    backbone = bench_backbone("ViT-B-32", torch.device("cpu"))
    assert backbone.model.text_projection.shape == (8, 8)
    assert not any(parameter.requires_grad for parameter in backbone.model.parameters())


def test_the_figure_shows_both_paths_and_marks_scaled_points(measured):
    over_classes, over_runs = cost_over_classes_and_runs(measured).axes
    ours, reference, scaled = over_classes.lines
    assert list(ours.get_xdata()) == list(reference.get_xdata()) == [3, 6]
    assert list(scaled.get_xdata()) == [6]
    (line,) = over_runs.lines
    alone, fused = measured[measured.classes == 6].step_seconds
    assert list(line.get_ydata()) == pytest.approx([100, 100 * fused / alone])


def test_the_command_leaves_numbers_and_a_figure(tmp_path, capsys):
    out = tmp_path / "bench.parquet"
    main(
        f"--backbones mini-rn --classes 3 --runs 1 2 --repeats 1 --device cpu --out {out} "
        f"--plot {tmp_path / 'cost'}".split()
    )
    assert read_parquet(out, BENCH).runs.tolist() == [1, 2]
    assert read_metadata(out)["settings"]["repeats"] == 1
    assert {path.name for path in tmp_path.iterdir()} == {"bench.parquet", "cost.svg", "cost.png"}
    captured = capsys.readouterr()
    assert captured.err.endswith("\nmini-rn, 3 classes\n")  # after a line on the device
    assert len(captured.out.splitlines()) == 4


@pytest.mark.parametrize("number", ["0", "-1"])
def test_fewer_than_one_class_is_refused(tmp_path, capsys, number):
    with pytest.raises(SystemExit):
        main(["--classes", number, "--out", str(tmp_path / "bench.parquet")])
    assert "less than 1" in capsys.readouterr().err
