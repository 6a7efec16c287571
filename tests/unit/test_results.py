"""Metrics of runs are summarised, and become the paper's tables and figures."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from ptnl.analysis.aggregate import (
    ensemble_accuracy,
    gradient_ratios,
    runs_table,
    summarise,
    summarise_draws,
)
from ptnl.analysis.figures.accuracy import accuracy_over_rate
from ptnl.analysis.figures.confusion import (
    confusion_matrices,
    confusion_order,
    draw_matrix,
)
from ptnl.analysis.figures.gradients import gradient_ratio
from ptnl.analysis.figures.style import COLOURS, LINES, line_style, spread_labels
from ptnl.analysis.inline_svg import contrast
from ptnl.analysis.published import published
from ptnl.analysis.tables import Origin, latex, markdown, table_rows, with_published
from ptnl.backbones.registry import BACKBONES
from ptnl.cli.summary import lines
from ptnl.data import title_of
from ptnl.errors import InputError
from ptnl.methods import METHODS
from ptnl.schemas import CONFUSION, ENSEMBLES, GRADIENTS, RUNS, SUMMARY
from ptnl.study.layouts import FIGURES, TABLES
from ptnl.study.layouts import Figure as FigureLayout
from tests.unit.made_up import metrics
from tests.unit.markdown import unpadded

TOY = Origin("toy", "embedded", "mini-rn")


def unpadded_markdown(*arguments) -> str:
    return unpadded(markdown(*arguments))


def study(layout, noises=("symmetric",)) -> pd.DataFrame:
    """Two data sets, three seeds; accuracy falls with the order of methods and of noise kinds."""
    rows = [
        metrics(method, fp, seed, 90 - 10 * place - fp + seed - 5 * kind, dataset, noise)
        for dataset in ("icons", "symbols")
        for place, method in enumerate(layout.methods)
        for kind, noise in enumerate(noises)
        for fp in (0, 8)
        for seed in (1, 2, 3)
    ]
    return summarise(runs_table(rows))


def test_runs_are_summarised_over_seeds():
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


def test_a_seed_that_a_method_misses_at_all_rates_is_an_error():
    seeds = {"prompt_ce": (1, 2), "linear_probe": (1,), "zero_shot": (0,)}
    rows = [metrics(method, 0, seed, 70) for method, of in seeds.items() for seed in of]
    with pytest.raises(InputError, match=r"linear_probe/symmetric, fp 0: .* \[2\]"):
        summarise(runs_table(rows))
    assert len(summarise(runs_table([row for row in rows if row["method"] != "linear_probe"]))) == 2


def test_two_runs_for_one_cell_are_an_error():
    with pytest.raises(InputError, match="two runs"):
        runs_table([metrics("prompt_ce", 0, 1, 70)] * 2)


def test_the_table_of_methods_has_a_column_per_rate():
    rows = table_rows(study(TABLES[1]), TABLES[1], 1, "mini-rn")
    assert len(rows) == 2 * 4 * 2
    assert list(rows.method[:2]) == ["classifier_r", "classifier_r"]
    text = unpadded_markdown(rows, TABLES[1], 1, TOY)
    assert "| Data set | Method | 0 % | 50 % |" in text
    assert "| Icons | Classifier-R | **92.00** ± 1.00 | **84.00** ± 1.00 |" in text
    assert "|  | Prompt tuning | 62.00 ± 1.00 | 54.00 ± 1.00 |" in text
    source = latex(rows, TABLES[1], 1, TOY)
    assert r"Icons & Classifier-R & \textbf{92.00} $\pm$ 1.00" in source
    assert source.count(r"\midrule") == 2


def test_the_table_of_noise_kinds_is_at_their_highest_common_rate():
    summary = study(TABLES[4], TABLES[4].noises)
    summary = summary[(summary.noise == "symmetric") | (summary.fp == 8)]
    text = unpadded_markdown(table_rows(summary, TABLES[4], 4, "mini-rn"), TABLES[4], 4, TOY)
    assert "| Data set | Method | Random | Confusion |" in text
    assert "| Icons | Linear probe | **84.00** ± 1.00 | **79.00** ± 1.00 |" in text
    assert "50 % wrong labels" in text


def test_the_table_of_backbones_has_a_row_per_backbone():
    rows = [
        metrics("prompt_ce", fp, seed, 50 + place + seed, backbone=backbone)
        for place, backbone in enumerate(["mine", *BACKBONES])
        for fp in (0, 8)
        for seed in (1, 2, 3)
    ]
    summary = summarise(runs_table(rows))
    text = unpadded_markdown(table_rows(summary, TABLES[3], 3, "mini-rn"), TABLES[3], 3, TOY)
    rows = [line.split(" | ")[1] for line in text.splitlines() if "-PT |" in line]
    assert rows == ["RN50-PT", "ViT-B/32-PT", "mini-RN-PT", "mini-ViT-PT", "mine-PT"]


def unsupervised() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Summary and ensembles of Table 5's methods."""
    rows, ensembles = [], []
    for dataset in ("icons", "symbols"):
        for place, method in enumerate(TABLES[5].methods):
            labels = METHODS[method].labels
            for seed in (1, 2) if METHODS[method].is_trained else (0,):
                run = metrics(method, 0, seed, 60 + place, dataset, labels)
                rows.append({**run, "rate_realised": 10.0 + place})
            if METHODS[method].is_trained:
                ensembles.append((dataset, "mini-rn", method, labels, 0, 70.0 + place, 2))
    return summarise(runs_table(rows)), pd.DataFrame(ensembles, columns=list(ENSEMBLES))


def test_the_table_of_unsupervised_methods_has_ensembles_and_averages():
    summary, ensembles = unsupervised()
    rows = table_rows(summary, TABLES[5], 5, "mini-rn", ensembles)
    text = unpadded_markdown(rows, TABLES[5], 5, TOY).splitlines()
    assert text[2:] == [
        "| Data set | Row | Zero-shot | UPL | Robust UPL (CE) | Robust UPL (GCE) |",
        *[
            line
            for title in ("Icons", "Symbols")
            for line in (
                f"| {title} | One prompt | 60.00 | 61.00 ± 0.00 | "
                "62.00 ± 0.00 | **63.00** ± 0.00 |",
                "|  | Ensemble |  | 71.00 | 72.00 | **73.00** |",
                "|  | Pseudo-labels right |  | 89.00 | 88.00 | 87.00 |",
            )
        ],
        "| Average | One prompt | 60.00 | 61.00 | 62.00 | **63.00** |",
        "|  | Ensemble |  | 71.00 | 72.00 | **73.00** |",
        "|  | Pseudo-labels right |  | 89.00 | 88.00 | 87.00 |",
    ]


def test_the_table_of_random_prompts_has_mean_and_sd_of_draws():
    draws = pd.DataFrame(
        {
            "dataset": "icons",
            "backbone": "mini-rn",
            "draw": range(3),
            "accuracy": [10.0, 20.0, 30.0],
        }
    )
    zero_shot = summarise(runs_table([metrics("zero_shot", 0, 0, 50, noise="none")]))
    summary = pd.concat([zero_shot, summarise_draws(draws)])
    text = unpadded_markdown(table_rows(summary, TABLES[8], 8, "mini-rn"), TABLES[8], 8, TOY)
    assert "| Icons | 20.00 ± 10.00 | **50.00** |" in text


def test_the_papers_numbers_are_shown_beside_ours():
    rows = table_rows(study(TABLES[1]), TABLES[1], 1, "mini-rn")
    assert rows.published_mean.isna().all()
    paper = rows.drop(columns=["published_mean", "published_sd", "difference"]).iloc[:8]
    paper = with_published(paper.assign(dataset="oxford_pets", backbone="RN50"), 1, published())
    text = unpadded_markdown(paper, TABLES[1], 1, TOY)
    assert "| **92.00** ± 1.00 [74.82, +17.18] | **84.00** ± 1.00 [36.63, +47.37] |" in text
    assert "in brackets the paper's and ours minus it" in text


def test_an_ensemble_averages_logits():
    logits = [np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([[0.0, 1.0], [0.0, 1.0]])]
    runs = [metrics("upl", 0, seed, 50, noise="pseudo_confident") for seed in (1, 2)]
    (row,) = ensemble_accuracy(runs, logits, {"icons": np.array([0, 1])}).to_dict("records")
    assert (row["accuracy"], row["n"]) == (100.0, 2)


def toy_gradients() -> pd.DataFrame:
    """Gradient ratios of two methods; they are measured from the second epoch on."""
    history = pd.DataFrame(
        {
            "epoch": [1, 2, 3, 4],
            "gradient_noisy": [np.nan, 1.0, 2.0, 3.0],
            "gradient_clean": [np.nan, 2.0, 2.0, 2.0],
            "gradient_noisy_mean": [np.nan, 6.0, 8.0, 9.0],
            "gradient_clean_mean": [np.nan, 3.0, 2.0, 1.0],
        }
    )
    runs = [metrics(method, 8, seed, 50) for method in FIGURES[4].methods for seed in (1, 2)]
    return gradient_ratios([history] * len(runs), runs)


def test_gradient_ratios_leave_out_epochs_without_a_measurement():
    gradients = toy_gradients()
    assert list(gradients.columns) == list(GRADIENTS)
    assert gradients.epoch.tolist() == [2, 3, 4] * 4
    assert gradients.ratio.tolist() == [0.5, 1.0, 1.5] * 4
    assert gradients.ratio_mean.tolist() == [2.0, 4.0, 9.0] * 4
    unmeasured = pd.DataFrame({"epoch": [1], "gradient_noisy": [np.nan], "gradient_clean": [1.0]})
    with pytest.raises(InputError, match="icons/mini-rn/prompt_ce/symmetric: no gradients"):
        gradient_ratios([unmeasured], [metrics("prompt_ce", 8, 1, 50)])


@pytest.mark.parametrize("number", [2, 5, 9])
def test_figures_have_a_labelled_line_for_every_method(number):
    layout = FIGURES[number]
    figure = accuracy_over_rate(study(layout), layout, TOY)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Icons", "Symbols"]
    labels = {layout.labels.get(name, METHODS[name].title) for name in layout.methods}
    for axes in figure.axes:
        assert len(axes.lines) == len(layout.methods)
        assert {text.get_text() for text in axes.texts} == labels


def test_the_figure_of_gradients_shows_both_ratios():
    """A row of panels for each reading of the ratio, with a marker at every measured epoch."""
    figure = gradient_ratio(toy_gradients(), FIGURES[4], TOY)
    means, sums = figure.axes
    for axes, ratios in ((means, [2.0, 4.0, 9.0]), (sums, [0.5, 1.0, 1.5])):
        assert {text.get_text() for text in axes.texts} == {"Prompt tuning", "Linear probe (SGD)"}
        line = axes.lines[1]
        assert line.get_xdata().tolist() == [2, 3, 4]
        assert line.get_ydata().tolist() == ratios
        assert line.get_marker() not in ("", "None")


def test_the_figure_of_confusion_shows_the_matrix():
    names = ["apple", "bell", "car"]
    tidy = [
        ("icons", "mini-rn", true, predicted, 80.0 if true == predicted else 10.0)
        for true in names
        for predicted in names
    ]
    figure = confusion_matrices(pd.DataFrame(tidy, columns=list(CONFUSION)), FIGURES[6], TOY)
    (image,) = figure.axes[0].images
    assert image.get_array().tolist() == [[80, 10, 10], [10, 80, 10], [10, 10, 80]]
    assert {text.get_text() for text in figure.axes[0].get_yticklabels()} == set(names)


def test_classes_that_are_confused_are_next_to_each_other():
    matrix = 60 * np.eye(6)
    for one, other in ((0, 3), (1, 4), (2, 5)):
        matrix[one, other] = matrix[other, one] = 40
    order = confusion_order(matrix)
    assert sorted(order) == list(range(6))
    assert {frozenset(pair) for pair in order.reshape(3, 2)} == {
        frozenset(pair) for pair in ((0, 3), (1, 4), (2, 5))
    }


def test_of_many_classes_only_every_nth_is_named():
    axes = Figure().subplots()
    names = [f"class {place}" for place in range(100)]
    draw_matrix(axes, np.eye(100), names, 40)
    assert [text.get_text() for text in axes.get_yticklabels()] == names[::3]


def test_labels_keep_their_distance_and_order():
    positions = np.array([10.0, 10.5, 50.0, 9.0])
    spread = spread_labels(positions, 4.0)
    assert (np.argsort(spread) == np.argsort(positions)).all()
    assert np.diff(np.sort(spread)).min() >= 4.0 - 1e-9
    assert spread[2] == 50.0
    assert spread[[0, 1, 3]].mean() == pytest.approx(positions[[0, 1, 3]].mean())


@pytest.mark.parametrize("spread", [0.0, 0.2, 30.0])
def test_twelve_labels_do_not_collide(spread):
    """Lines may end at one point, close together or apart: no label covers another or is cut."""
    methods = list(METHODS)[2:14]
    layout = FigureLayout("Twelve", tuple(methods), ())
    rows = [
        metrics(method, fp, seed, 70 + spread * place / 12 - fp)
        for place, method in enumerate(methods)
        for fp in (0, 8)
        for seed in (1, 2)
    ]
    figure = accuracy_over_rate(summarise(runs_table(rows)), layout, TOY)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (axes,) = figure.axes
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in axes.texts]
    assert len(boxes) == 12
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    for box in boxes:
        assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1


def test_panels_of_a_figure_share_their_scale():
    layout = FIGURES[2]
    summary = study(layout)
    low = (summary.dataset == "symbols") & (summary.fp == 8)
    figure = accuracy_over_rate(summary.assign(mean=summary["mean"] - 20 * low), layout, TOY)
    spans = [high - low for low, high in (axes.get_ylim() for axes in figure.axes)]
    assert spans[0] == pytest.approx(spans[1])
    assert f"every panel spans {spans[0]:.0f} points" in figure.get_supxlabel().replace("\n", " ")


def drawn(number: int, datasets: Sequence[str]) -> Figure:
    """A figure of accuracies on data sets."""
    layout = FIGURES[number]
    rows = [
        metrics(method, fp, seed, 90 - 10 * place - fp, dataset)
        for dataset in datasets
        for place, method in enumerate(layout.methods)
        for fp in (0, 8)
        for seed in (1, 2, 3)
    ]
    return accuracy_over_rate(summarise(runs_table(rows)), layout, TOY)


def test_of_many_panels_the_last_of_a_row_names_the_lines():
    figure = drawn(8, FIGURES[8].datasets)
    named = {axes.get_title(loc="left") for axes in figure.axes if axes.texts}
    assert named == {title_of(FIGURES[8].datasets[place]) for place in (3, 6)}
    assert sum(bool(axes.get_ylabel()) for axes in figure.axes) == 2
    few = drawn(1, FIGURES[1].datasets)
    assert all(axes.texts and axes.get_ylabel() for axes in few.axes)


@pytest.mark.parametrize("number", [1, 2, 5, 8, 9, 10])
def test_letters_can_be_read_where_a_figure_is_shrunk_to_a_page(number):
    """7 inches wide, as two columns of a paper are."""
    figure = drawn(number, FIGURES[number].datasets)
    shrunk = min(1.0, 7 / figure.get_figwidth())
    sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text().strip()]
    assert min(sizes) * shrunk > 5.9


def test_a_caption_names_the_noise_and_the_seeds():
    layout = FIGURES[2].with_random_noise("pairflip")
    figure = accuracy_over_rate(study(layout, ("pairflip",)), layout, TOY)
    assert figure.get_supxlabel().startswith("Pair flip noise, mean and sd over 3 seeds, backbone")
    two = study(layout, ("pairflip",)).assign(n=2)
    assert "2 seeds (too few" in accuracy_over_rate(two, layout, TOY).get_supxlabel()


def test_a_caption_says_if_only_some_classes_are_named():
    for classes, is_said in ((40, False), (41, True)):
        names = [f"class {place:02}" for place in range(classes)]
        pairs = [(one, other, 100.0 * (one == other)) for one in names for other in names]
        confusion = pd.DataFrame(pairs, columns=["true_class", "predicted_class", "percent"])
        figure = confusion_matrices(
            confusion.assign(dataset="icons", backbone="mini-rn"), FIGURES[6], TOY
        )
        assert (
            "only some of them are named" in figure.get_supxlabel().replace("\n", " ")
        ) == is_said


def test_prompt_tuning_is_labelled_ce_beside_other_losses():
    for number in (1, 2, 8, 9):
        assert FIGURES[number].labels["prompt_ce"] == "Prompt tuning (CE)"


def test_names_of_lines_have_the_lines_colours():
    """Shades of one hue tell context lengths apart, where names are moved from their lines, too."""
    figure = drawn(5, ["icons"])
    names = {text.get_text(): text.get_color() for text in figure.axes[0].texts}
    assert names["Ctx-4"] == LINES["prompt_ctx4"].colour
    assert len(set(names.values())) == len(names)


def test_a_method_without_its_own_line_style_gets_one():
    methods = ("prompt_ce", "mine", "yours")
    assert line_style("prompt_ce", methods) == LINES["prompt_ce"]
    assert line_style("mine", methods) != line_style("yours", methods)


def test_lines_are_easy_to_see_on_a_white_page():
    """WCAG 2 asks for a contrast of 3:1 of what is drawn (success criterion 1.4.11)."""
    colours = {*COLOURS, *(style.colour for style in LINES.values())}
    assert [colour for colour in colours if contrast(colour, "#ffffff") < 3] == []


def test_the_summary_prints_means_and_the_share_that_is_kept():
    text = "\n".join(lines(study(FIGURES[2])))
    assert "  Prompt tuning (GCE)           92.0 ± 1.0      84.0 ± 1.0            91 %" in text
