"""From metrics to tables and figures."""

import numpy as np
import pandas as pd
import pytest

from ptnl.aggregate import runs_table, summarise
from ptnl.cli.summary import lines
from ptnl.errors import InputError
from ptnl.figures import accuracy_over_rate, spread_labels
from ptnl.layouts import FIGURES, TABLES
from ptnl.schemas import RUNS, SUMMARY
from ptnl.tables import latex, markdown, table_rows


def metrics(method: str, fp: int, seed: int, accuracy: float, dataset: str = "icons") -> dict:
    return {
        "dataset": dataset,
        "backbone": "mini-rn",
        "method": method,
        "noise": "symmetric",
        "fp": fp,
        "seed": seed,
        "shots": 16,
        "rate": 100 * fp / 16,
        "rate_realised": 100 * fp / 16,
        "shots_per_class": 16.0,
        "accuracy": accuracy,
        "epochs": 1,
        "parameters": 1,
        "seconds": 1.0,
        "device": "cpu",
        "commit": "abc",
        "torch": "2",
        "settings": {},
    }


def study(layout) -> pd.DataFrame:
    rows = [
        metrics(method, fp, seed, 90 - 10 * place - fp + seed, dataset)
        for dataset in ("icons", "symbols")
        for place, method in enumerate(layout.methods)
        for fp in (0, 8)
        for seed in (1, 2, 3)
    ]
    return summarise(runs_table(rows))


def test_statistics_over_seeds():
    rows = [metrics("prompt_ce", 0, seed, accuracy) for seed, accuracy in enumerate([70, 74, 78])]
    runs = runs_table(rows)
    assert list(runs.columns) == list(RUNS)
    summary = summarise(runs)
    assert list(summary.columns) == list(SUMMARY)
    assert summary[["mean", "sd", "n"]].to_numpy().tolist() == [[74.0, 4.0, 3.0]]


def test_a_missing_seed_is_an_error():
    rows = [metrics("prompt_ce", 0, 1, 70), metrics("prompt_ce", 0, 2, 70)]
    rows.append(metrics("prompt_ce", 8, 1, 60))
    with pytest.raises(InputError, match=r"icons/mini-rn/prompt_ce/symmetric, fp 8: .* \[2\]"):
        summarise(runs_table(rows))


def test_a_run_twice_is_an_error():
    with pytest.raises(InputError, match="two runs"):
        runs_table([metrics("prompt_ce", 0, 1, 70)] * 2)


def test_table_in_the_papers_layout():
    rows = table_rows(study(TABLES[1]), TABLES[1], "mini-rn")
    assert len(rows) == 2 * 3 * 2
    assert list(rows.method[:2]) == ["classifier_r", "classifier_r"]
    text = markdown(rows, TABLES[1], 1, "toy", "embedded", "mini-rn")
    assert "| Icons | Classifier-R | **92.00** ± 1.00 | **84.00** ± 1.00 |" in text
    assert "|  | Prompt tuning | 72.00 ± 1.00 | 64.00 ± 1.00 |" in text
    source = latex(rows, TABLES[1], 1, "toy", "embedded", "mini-rn")
    assert r"Icons & Classifier-R & \textbf{92.00} $\pm$ 1.00" in source
    assert source.count(r"\midrule") == 2


def test_captions_name_the_noise_and_the_protocol():
    layout = TABLES[1].with_random_noise("fp_swap")
    summary = study(TABLES[1]).assign(noise="fp_swap")
    rows = table_rows(summary, layout, "mini-rn")
    assert len(rows) == 2 * 3 * 2
    caption = "fp_swap noise, backbone mini-rn, study 'toy', protocol 'released'"
    assert caption in markdown(rows, layout, 1, "toy", "released", "mini-rn")
    source = latex(rows, layout, 1, "toy", "released", "mini-rn")
    assert caption.replace("_", r"\_") in source
    figure = accuracy_over_rate(study(FIGURES[2]), FIGURES[2], "toy", "released", "mini-rn")
    assert "Study 'toy', protocol 'released'" in figure.get_supxlabel()


def test_figure_has_a_labelled_line_for_every_method():
    figure = accuracy_over_rate(study(FIGURES[2]), FIGURES[2], "toy", "embedded", "mini-rn")
    panels = figure.axes
    assert [axes.get_title(loc="left") for axes in panels] == ["Icons", "Symbols"]
    for axes in panels:
        assert len(axes.lines) == 4
        assert {text.get_text() for text in axes.texts} == {
            "Prompt tuning",
            "Prompt tuning (GCE)",
            "Linear probe",
            "Linear probe (GCE)",
        }


def test_labels_keep_their_distance_and_order():
    positions = np.array([10.0, 10.5, 50.0, 9.0])
    spread = spread_labels(positions, 4.0)
    assert (np.argsort(spread) == np.argsort(positions)).all()
    assert np.diff(np.sort(spread)).min() >= 4.0 - 1e-9
    assert spread[2] == 50.0
    assert spread[[0, 1, 3]].mean() == pytest.approx(positions[[0, 1, 3]].mean())


def test_summary_says_what_is_kept():
    said = "\n".join(lines(study(FIGURES[2])))
    assert "Prompt tuning (GCE)         92.0 ± 1.0      84.0 ± 1.0    91 %" in said
