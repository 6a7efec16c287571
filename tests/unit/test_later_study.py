"""Layouts, ranks and figures of the study of later methods."""

import numpy as np
import pandas as pd
import pytest

from ptnl.analysis.aggregate import runs_table, split_quality, summarise
from ptnl.analysis.figures.accuracy import accuracy_over_rate
from ptnl.analysis.figures.splits import splits_over_epochs
from ptnl.analysis.intervals import mean_interval
from ptnl.analysis.published import CELL, LATER_FILE, PUBLISHED_LATER, published
from ptnl.analysis.ranks import markdown, method_ranks
from ptnl.analysis.tables import Origin, table_rows
from ptnl.analysis.tables import markdown as table_markdown
from ptnl.methods import METHODS
from ptnl.schemas import HISTORY, RANKS, SPLITS
from ptnl.study.config import read_study
from ptnl.study.grid import runs, split_runs
from ptnl.study.jobs import study_jobs
from ptnl.study.layouts import BOUNDED, FIGURES, TABLES, fillable
from tests.unit.made_up import metrics

ORIGIN = Origin("toy", "embedded", "mini-rn")


@pytest.fixture(scope="module")
def later(root) -> dict:
    return read_study(root, [root / "workflow/studies/later.yaml"], {})


@pytest.fixture(scope="module")
def paper_later(root) -> dict:
    studies = root / "workflow/studies"
    return read_study(root, [studies / "paper.yaml", studies / "paper_later.yaml"], {})


@pytest.mark.parametrize("study", ["later", "paper_later"])
def test_the_studies_fill_tables_and_figures_of_later_methods(study, request):
    config = request.getfixturevalue(study)
    assert {10, 11} <= set(fillable(TABLES, config))
    assert {10, 11} <= set(fillable(FIGURES, config))
    rules = {job.rule for job in study_jobs(config)}
    assert {"rank_methods", "collect_splits"} <= rules


def test_costly_methods_run_on_some_data_sets_only(later):
    where = {(run.method, run.dataset) for run in runs(later) if run.method in BOUNDED}
    assert where == {(method, "symbols") for method in BOUNDED}
    assert {run.method for run in split_runs(later)} == {"nlprompt", "tecoprompt", "joapr"}


def test_a_method_keeps_its_own_optimiser_under_the_papers_protocol(paper_later):
    methods = paper_later["methods"]
    assert methods["nlprompt"]["epochs"] == 50
    assert (methods["clap"]["epochs"], methods["clap"]["learning_rate"]) == (300, 0.1)
    assert methods["tip_adapter_f"]["learning_rate"] == 0.001
    assert (methods["cocoop"]["epochs"], methods["cocoop"]["batch_size"]) == (10, 1)


def toy_runs() -> pd.DataFrame:
    """Two data sets, three seeds; NLPrompt is 2 to 4 points above prompt tuning, JoAPR equal."""
    rows = []
    for dataset in ("icons", "symbols"):
        for seed, base in enumerate((60, 62, 67)):
            for method, more in (("prompt_ce", 0), ("nlprompt", 2 + seed), ("joapr", 0)):
                rows.append({**metrics(method, 8, seed, base + more), "dataset": dataset})
    rows.append({**metrics("cocoop", 8, 0, 99), "dataset": "symbols"})
    return runs_table(rows)


def test_methods_have_ranks_and_gains_with_intervals():
    ranks = method_ranks(toy_runs(), "mini-rn")
    assert list(ranks.columns) == list(RANKS)
    # CoCoOp is not ranked, because it ran on one data set only.
    assert list(ranks.method) == ["prompt_ce", "nlprompt", "joapr"]
    assert ranks["rank"].tolist() == [2.5, 1, 2.5]  # ties are shared
    gain = ranks.set_index("method").loc["nlprompt"]
    expected = mean_interval([2, 3, 4])
    assert (gain.gain, gain.gain_low, gain.gain_high) == pytest.approx(tuple(expected))
    assert (gain.methods, gain.datasets, gain.seeds) == (3, 2, 3)
    text = markdown(ranks, ORIGIN)
    assert "| NLPrompt" in text
    assert "**+3.0** [+0.5, +5.5]" in text
    assert "Random, 50 %" in text


def test_a_study_without_two_methods_has_no_ranks():
    alone = toy_runs().query("method == 'prompt_ce'")
    assert "No two methods" in markdown(method_ranks(alone, "mini-rn"), ORIGIN)


def test_a_costly_method_has_rows_only_where_it_ran():
    rows = table_rows(summarise(toy_runs().query("seed == 0")), TABLES[10], 10, "mini-rn")
    text = table_markdown(rows, TABLES[10], 10, ORIGIN)
    cocoop = [line for line in text.splitlines() if "CoCoOp" in line]
    assert len(cocoop) == 1
    assert "99.00" in cocoop[0]


def test_numbers_of_later_work_are_shown_under_their_protocol_only():
    made = [
        {**metrics(method, 8, 1, 70), "dataset": "ucf101", "backbone": "RN50"}
        for method in ("nlprompt", "prompt_ce")
    ]
    made = [{**run, "noise": "symmetric_global"} for run in made]
    layout = TABLES[10].with_random_noise("symmetric_global")
    summary = summarise(runs_table(made))
    rows = table_rows(summary, layout, 10, "RN50", protocol="nlprompt").set_index("method")
    assert rows.loc["nlprompt", "published_mean"] == 70.3
    assert rows.loc["prompt_ce", "published_mean"] == 49.7
    text = table_markdown(rows.reset_index(), layout, 10, Origin("toy", "nlprompt", "RN50"))
    assert "in brackets what later work printed under this protocol" in text
    rows = table_rows(summary, layout, 10, "RN50", protocol="paper")
    assert rows.published_mean.isna().all()


def test_every_number_of_later_work_has_its_protocol_and_source(root):
    numbers = published(LATER_FILE, PUBLISHED_LATER)
    presets = {path.stem for path in (root / "ptnl/study/presets").glob("*.yaml")}
    assert set(numbers.protocol) <= presets
    assert numbers.source.str.contains("https://").all()
    assert set(numbers.method) <= set(METHODS)
    assert not numbers.duplicated([*CELL, "protocol"]).any()
    for _, line in numbers.sort_values("rate").groupby(["dataset", "method"]):
        # Accuracy falls with the rate, but for one cell of NLPrompt that rises by a tenth.
        assert (line["mean"].diff().dropna() < 0.15).all()


def history(quality: list[float]) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "epoch": range(1, len(quality) + 1),
            "taken_as_clean": quality,
            "split_precision": quality,
            "split_recall": quality,
        }
    )
    return frame.reindex(columns=list(HISTORY))


def test_epochs_without_a_split_are_left_out():
    made = metrics("joapr", 8, 1, 70)
    splits = split_quality([history([np.nan, 60.0, 80.0])], [made])
    assert list(splits.columns) == list(SPLITS)
    assert splits.epoch.tolist() == [2, 3]
    assert splits.split_recall.tolist() == [60, 80]
    assert set(splits.method) == {"joapr"}


def test_figures_draw_every_method_that_they_name():
    methods = FIGURES[11].methods
    made = [
        {**metrics(method, fp, seed, 70), "dataset": dataset}
        for dataset in ("icons", "symbols")
        for method in methods
        for fp in (4, 8)
        for seed in (1, 2)
    ]
    splits = split_quality([history([50.0, 70.0 + run["seed"]]) for run in made], made)
    figure = splits_over_epochs(splits, FIGURES[11], ORIGIN)
    text = {label.get_text() for axes in figure.axes for label in axes.texts}
    for method in methods:
        assert f"{METHODS[method].title}, precision" in text
        assert f"{METHODS[method].title}, recall" in text
    everything = [
        {**metrics(method, fp, seed, 70 - fp), "dataset": "icons"}
        for method in FIGURES[10].methods
        for fp in (0, 8)
        for seed in (1, 2)
    ]
    figure = accuracy_over_rate(summarise(runs_table(everything)), FIGURES[10], ORIGIN)
    text = {label.get_text() for axes in figure.axes for label in axes.texts}
    labels = FIGURES[10].labels
    assert {labels.get(name, METHODS[name].title) for name in FIGURES[10].methods} <= text
