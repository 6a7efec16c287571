"""What every study shows: all methods, their difference to a baseline, classes and mistakes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from ptnl.analysis.aggregate import runs_table
from ptnl.analysis.details import at_most_noise, class_results, mistakes_markdown
from ptnl.analysis.figures.details import class_figure, confusion_figure, learning_figure
from ptnl.analysis.figures.overview import overview_figure
from ptnl.analysis.figures.style import MARKERS
from ptnl.analysis.inline_svg import contrast
from ptnl.analysis.overview import OWN, latex, markdown, overview_table
from ptnl.analysis.tables import Origin
from ptnl.cli import make_overview, plot_details, summary
from ptnl.io import read_parquet
from ptnl.methods import METHODS
from ptnl.schemas import CLASS_ACCURACY, CURVES, MISTAKES, OVERVIEW, RANDOM_PROMPTS
from ptnl.study import grid
from ptnl.training.method import Method
from tests.unit.made_up import CLASSES, SHARES, metrics, study
from tests.unit.markdown import unpadded

ORIGIN = Origin("toy", "embedded", "mini-rn")
NO_DRAWS = pd.DataFrame(columns=list(RANDOM_PROMPTS))


def toy_runs(methods=("prompt_ce", "linear_probe"), noise: str = "symmetric") -> pd.DataFrame:
    """Zero-shot is at 60; the first method loses one point per wrong label, the next two, ..."""
    rows = [metrics("zero_shot", 0, 0, 60, noise="none")]
    rows += [
        metrics(method, fp, seed, 70 + seed - (place + 1) * fp, noise=noise)
        for place, method in enumerate(methods)
        for fp in (0, 8)
        for seed in (1, 2, 3)
    ]
    rows += [metrics("upl", 0, seed, 64 + seed, noise="pseudo_confident") for seed in (1, 2, 3)]
    return runs_table(rows)


def cell(overview: pd.DataFrame, method: str, fp: int, noise: str = "symmetric") -> pd.Series:
    rows = overview[(overview.method == method) & (overview.fp == fp) & (overview.noise == noise)]
    (row,) = rows.to_dict("records")
    return row


def test_differences_are_paired_by_seed():
    overview = overview_table(toy_runs(), NO_DRAWS, "prompt_ce")
    assert list(overview.columns) == list(OVERVIEW)
    probe = cell(overview, "linear_probe", 8)
    assert (probe["mean"], probe["sd"], probe["n"]) == (56, 1, 3)
    assert (probe["difference"], probe["low"], probe["high"]) == (-8, -8, -8)
    baseline = cell(overview, "prompt_ce", 8)
    assert baseline["baseline"] == ""
    assert np.isnan(baseline["difference"])


def test_zero_shot_is_shown_at_every_rate():
    overview = overview_table(toy_runs(), NO_DRAWS, "prompt_ce")
    zero_shot = overview[(overview.method == "zero_shot") & (overview.noise == "symmetric")]
    assert zero_shot["mean"].tolist() == [60, 60]
    assert zero_shot.difference.tolist() == [60 - 72, 60 - 64]
    upl = cell(overview, "upl", 0, OWN)
    assert (upl["baseline"], upl["difference"]) == ("zero_shot", 6)


def test_the_number_of_random_prompts_is_that_of_their_draws():
    draws = pd.DataFrame(
        {"dataset": "icons", "backbone": "mini-rn", "draw": range(4), "accuracy": 20.0}
    )
    row = cell(overview_table(toy_runs(), draws, "prompt_ce"), "random_prompt", 0, OWN)
    assert (row["mean"], row["n"], row["difference"]) == (20, 4, -40)


def test_a_single_seed_has_no_interval():
    runs = toy_runs()
    overview = overview_table(runs[runs.seed <= 1], NO_DRAWS, "prompt_ce")
    probe = cell(overview, "linear_probe", 8)
    assert probe["difference"] == -8
    assert np.isnan([probe["low"], probe["high"], probe["sd"]]).all()
    assert "| Linear probe | 0.0 | −8.0 |" in unpadded(markdown(overview, ORIGIN)).replace("+", "")


def test_the_overview_is_written_as_markdown_and_latex():
    overview = overview_table(toy_runs(), NO_DRAWS, "prompt_ce")
    text = unpadded(markdown(overview, ORIGIN))
    assert "**Random noise: top-1 accuracy (%), mean and standard deviation over 3 seeds, " in text
    assert "| Data set | Method | 0 % | 50 % |" in text
    assert "| Icons | Zero-shot | 60.00 | 60.00 |" in text
    assert "|  | Prompt tuning | **72.00** ± 1.00 | **64.00** ± 1.00 |" in text
    assert "Points above Prompt tuning, seed by seed" in text
    assert "|  | Linear probe | +0.0 | −8.0 |" in text
    assert "|  | UPL | **66.00** ± 1.00 |" in text
    source = latex(overview, ORIGIN)
    assert r" & Prompt tuning & \textbf{72.00} $\pm$ 1.00 & \textbf{64.00} $\pm$ 1.00 \\" in source
    assert source.count(r"\begin{table}") == 2


def test_the_page_says_that_intervals_of_two_seeds_say_little():
    runs = toy_runs()
    for seeds in (1, 2, 3):
        page = markdown(overview_table(runs[runs.seed <= seeds], NO_DRAWS, "prompt_ce"), ORIGIN)
        assert ("two seeds are too few" in page) == (seeds == 2)


def test_a_difference_that_rounds_to_zero_has_no_minus():
    overview = overview_table(toy_runs(), NO_DRAWS, "prompt_ce")
    none = overview.assign(difference=-0.04, low=-0.04, high=0.04)
    page = markdown(none, ORIGIN)
    assert "+0.0 [+0.0, +0.0]" in page and "−0.0" not in page


def test_a_study_without_a_baseline_has_an_overview():
    runs = toy_runs(methods=())
    overview = overview_table(runs, NO_DRAWS, grid.baseline(config_of("zero_shot", "upl")))
    assert overview.method.tolist() == ["zero_shot", "upl"]
    assert "Without given labels" in markdown(overview, ORIGIN)


def config_of(*methods: str) -> dict:
    config = {"primary_backbone": "mini-rn", "backbones": {"mini-rn": {}}}
    return {**config, "methods": dict.fromkeys(methods)}


def test_the_baseline_is_the_first_method_on_given_labels():
    assert grid.baseline(config_of("zero_shot", "upl", "linear_probe", "prompt_ce")) == (
        "linear_probe"
    )
    assert grid.baseline(config_of("zero_shot", "upl")) == ""


def test_a_new_method_and_a_new_kind_of_noise_appear(monkeypatch):
    """Neither has its own title, line style or layout."""
    monkeypatch.setitem(METHODS, "mine", Method("My method", "prompt", "ce"))
    overview = overview_table(toy_runs(("prompt_ce", "mine"), "lazy_friday"), NO_DRAWS, "prompt_ce")
    text = unpadded(markdown(overview, ORIGIN))
    assert "**Lazy friday noise: top-1 accuracy" in text
    assert "|  | My method | **72.00** ± 1.00 | 56.00 ± 1.00 |" in text
    axes = overview_figure(overview, ORIGIN).axes[0]
    assert axes.get_title(loc="left") == "Icons: lazy friday noise"
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == ["Zero-shot", "Prompt tuning", "My method"]


def test_the_figure_has_a_dot_for_every_mean():
    overview = overview_table(toy_runs(), NO_DRAWS, "prompt_ce")
    random, own = overview_figure(overview, ORIGIN).axes
    dots = {
        (round(float(x), 6), round(float(y), 6))
        for container in random.containers
        for x, y in [container.lines[0].get_xydata()[0]]
    }
    assert dots == {(60, 0), (72, 1), (64, 1), (72, 2), (56, 2)}
    assert random.get_xlim() == own.get_xlim()


def test_captions_say_how_many_seeds_the_spread_is_from():
    runs = toy_runs()
    for seeds, sentence in (
        (3, "(%); bars: sd over 3 seeds; dashed: zero-shot"),
        (2, "bars: sd over 2 seeds (too few for the bars to say much); dashed: zero-shot"),
        (1, "Top-1 accuracy (%); dashed: zero-shot"),
    ):
        overview = overview_table(runs[runs.seed <= seeds], NO_DRAWS, "prompt_ce")
        caption = overview_figure(overview, ORIGIN).get_supxlabel().replace("\n", " ")
        assert sentence in caption


def test_every_data_set_of_many_has_its_panel():
    names = [f"set_{place}" for place in range(6)]
    runs = pd.concat([toy_runs().assign(dataset=name) for name in names])
    figure = overview_figure(overview_table(runs, NO_DRAWS, "prompt_ce"), ORIGIN)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    expected = [
        f"Set {n}: {kind}" for n in range(6) for kind in ("random noise", "without given labels")
    ]
    assert sorted(titles) == sorted(expected)
    assert figure.get_figwidth() < 14


def test_a_study_of_zero_shot_alone_has_an_overview():
    runs = toy_runs(methods=())
    overview = overview_table(runs[runs.method == "zero_shot"], NO_DRAWS, "")
    assert "| Icons | **60.00** |" in unpadded(markdown(overview, ORIGIN)).replace(
        "Zero-shot | ", ""
    )
    assert overview_figure(overview, ORIGIN).get_supxlabel().startswith("Top-1 accuracy (%); back")


def test_accuracy_and_mistakes_of_single_classes():
    labels = np.array([0, 0, 1, 1])
    runs = [metrics("prompt_ce", 8, seed, 0) for seed in (1, 2)]
    predictions = [np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0])]
    accuracy, mistakes = class_results(runs, predictions, labels, ["apple", "bell", "unseen"])
    assert list(accuracy.columns) == list(CLASS_ACCURACY)
    rows = accuracy[["class_name", "images", "mean", "n"]].to_numpy().tolist()
    assert rows == [["apple", 2, 100, 2], ["bell", 2, 25, 2]]
    assert accuracy.sd.tolist() == pytest.approx([0, 50 / 2**0.5])
    (pair,) = mistakes.to_dict("records")
    assert (pair["true_class"], pair["predicted_class"], pair["percent"]) == ("bell", "apple", 75)
    text = unpadded(mistakes_markdown(mistakes, "Icons", "symmetric", 50))
    assert "| Prompt tuning | bell → apple 75 % |" in text


def test_figures_of_single_classes(tmp_path):
    details = study(tmp_path / "toy") / "details/icons"
    accuracy = read_parquet(details / "classes.parquet", CLASS_ACCURACY)
    mistakes = read_parquet(details / "mistakes.parquet", MISTAKES)
    curves = read_parquet(details / "curves.parquet", CURVES)
    titles = ["Zero-shot", *(METHODS[name].title for name in SHARES)]

    image = class_figure(accuracy, "symmetric", ORIGIN).axes[0].images[0].get_array()
    most = at_most_noise(accuracy, "mini-rn", "symmetric")
    assert set(most[most.method != "zero_shot"].fp) == {8}
    assert image.shape == (3, len(CLASSES))
    assert sorted(image[1]) == sorted(most[most.method == "prompt_ce"]["mean"])

    figure = confusion_figure(mistakes, accuracy, "symmetric", ORIGIN)
    panels = [axes for axes in figure.axes if axes.images]
    named = [text.get_text() for text in panels[0].get_yticklabels()]
    assert sorted(named) == sorted(CLASSES)
    assert [axes.get_title(loc="left") for axes in panels] == titles
    for axes in panels:
        matrix = np.asarray(axes.images[0].get_array())
        assert matrix.sum(axis=1) == pytest.approx([100] * len(CLASSES))

    learning = learning_figure(curves, "symmetric", ORIGIN)
    assert [axes.get_title(loc="left") for axes in learning.axes] == titles[1:]
    assert learning.axes[0].lines[2].get_ydata().tolist() == [40, 60, 80]
    assert learning_figure(curves.head(0), "symmetric", ORIGIN).axes == []


@pytest.mark.parametrize(("classes", "named"), [(20, 20), (60, 20)])
def test_of_many_classes_the_first_matrix_of_a_row_names_the_rows(classes, named):
    labels = np.arange(classes)
    methods = ["prompt_ce", "prompt_gce", "prompt_sce", "prompt_nce_rce", "linear_probe"]
    runs = [metrics(method, 8, 1, 0) for method in methods]
    names = [f"class {label}" for label in labels]
    accuracy, mistakes = class_results(runs, [np.roll(labels, 1)] * len(runs), labels, names)
    figure = confusion_figure(mistakes, accuracy, "symmetric", ORIGIN)
    matrices = [axes for axes in figure.axes if axes.images]
    assert [len(axes.get_yticks()) for axes in matrices] == [named, 0, 0, 0, named]
    assert not any(axes.xaxis.get_tick_params()["labelbottom"] for axes in matrices)
    assert ("only some of them" in figure.get_supxlabel()) == (named < classes)


def test_the_commands_write_tables_figures_and_a_summary(tmp_path, capsys):
    results = study(tmp_path / "toy")
    named = ["--backbone", "mini-rn", "--study", "toy", "--protocol", "paper"]
    tables = [results / f"tables/overview.{suffix}" for suffix in ("csv", "md", "tex")]
    figures = [results / f"figures/overview.{suffix}" for suffix in ("svg", "png")]
    make_overview.main(
        ["--runs", str(results / "runs.parquet"), "--baseline", "prompt_ce", *named, "--out"]
        + [str(path) for path in (*tables, *figures)]
    )
    assert pd.read_csv(tables[0]).method.tolist()[:1] == ["zero_shot"]
    assert all(path.stat().st_size > 500 for path in (*tables, *figures))
    drawn = {kind: str(results / f"figures/{kind}_icons.svg") for kind in ("classes", "learning")}
    plot_details.main(
        [f"--{kind}={results / f'details/icons/{kind}.parquet'}" for kind in ("classes", "curves")]
        + [f"--mistakes={results / 'details/icons/mistakes.parquet'}", "--noise=symmetric", *named]
        + ["--class-figure", drawn["classes"], "--learning-figure", drawn["learning"]]
        + ["--confusion-figure", str(results / "figures/confusion_icons.svg")]
        + ["--markdown", str(results / "details/icons/mistakes.md")]
    )
    capsys.readouterr()
    summary.main(["--results", str(results)])
    printed = capsys.readouterr().out
    assert "icons, mini-rn, symmetric noise: top-1 accuracy (%)" in printed
    assert f"tables: {results}/tables/ (overview)" in printed
    assert (
        "figures: " in printed
        and "classes_icons, confusion_icons, learning_icons, overview" in printed
    )
    assert "claims" not in printed  # this study has none


@pytest.mark.parametrize("rates", [1, 2, 3, 5, 8])
def test_dots_are_easy_to_see_and_differ_without_colour(rates):
    runs = [metrics("prompt_ce", fp, 1, 80 - fp) for fp in range(rates)]
    overview = overview_table(runs_table(runs), NO_DRAWS, "prompt_ce")
    figure = overview_figure(overview, ORIGIN)
    dots = [line for line in figure.axes[0].lines if line.get_marker() not in ("None", "|")]
    colours = [to_hex(dot.get_color()) for dot in dots]
    assert len(dots) == len(set(colours)) == rates
    assert all(contrast(colour, "#ffffff") >= 3 for colour in colours)
    assert len({dot.get_marker() for dot in dots}) == min(rates, len(MARKERS))
