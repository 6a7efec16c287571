"""Robustness to wrong labels over what random prompts keep of the zero-shot accuracy."""

import numpy as np
import pandas as pd
import pytest
from measure_mechanism import NO_TOWER, RUNS, SHOTS, measure_dataset, noisy_draws, shared_features
from plot_mechanism import mechanism, robustness

from ptnl.backbones.assets import FOLDER, verified
from ptnl.data.embedded import IMAGES
from ptnl.io import read_parquet
from ptnl.study.config import Rules
from ptnl.study.protocols import protocol_values


def runs_of(dataset, tower, zero_shot, random, clean, noisy):
    """The runs of a text tower: two seeds without wrong labels, and two with half of them wrong."""
    return pd.DataFrame(
        {
            "dataset": dataset,
            "tower": tower,
            "zero_shot_val": zero_shot,
            "random_val": random,
            "method": "linear_probe" if np.isnan(random) else "prompt_ce",
            "wrong_labels": [0, 0, 8, 8],
            "seed": [1, 2, 1, 2],
            "test_accuracy": [*clean, *noisy],
        }
    )


@pytest.fixture
def runs():
    return pd.concat(
        [
            runs_of("icons", "second letter", 80.0, 60.0, [78, 82], [58, 62]),
            runs_of("icons", "a first", 50.0, 10.0, [60, 60], [15, 15]),
            runs_of("icons", NO_TOWER, np.nan, np.nan, [80, 90], [40, 45]),
        ]
    )


def test_robustness_is_the_share_of_the_clean_accuracy_that_is_left(runs):
    found = robustness(runs).set_index("tower")
    assert list(found.index) == ["second letter", "a first", NO_TOWER]
    first = found.loc["second letter"]
    assert first.kept == pytest.approx(75)
    assert (first.clean, first.clean_low, first.clean_high) == (80, 78, 82)
    assert (first.noisy, first.noisy_low, first.noisy_high) == (60, 58, 62)
    assert first.left == pytest.approx(75)
    assert found.loc["a first"].left == pytest.approx(25)
    assert np.isnan(found.loc[NO_TOWER].kept)
    assert found.loc[NO_TOWER].left == pytest.approx(50)


def test_the_figure_shows_every_tower_clean_and_noisy(runs):
    figure = mechanism(runs)
    (axes,) = figure.axes
    points = [bar.lines[0].get_xydata()[0].tolist() for bar in axes.containers]
    assert points == [[75, 80], [75, 60], [20, 60], [20, 15]]
    assert [list(line.get_ydata()) for line in axes.lines[:2]] == [[85, 85], [42.5, 42.5]]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["second letter", "a first"]


def test_half_of_every_class_is_wrong_in_the_noisy_runs():
    table = read_parquet(verified("symbols.parquet"), IMAGES)
    draws = noisy_draws(table)
    for (fp, _), draw in zip(RUNS, draws, strict=True):
        assert (draw.groupby("label_clean").is_noisy.sum() == fp).all()
        assert (draw.groupby("label_clean").size() == SHOTS).all()
    clean, noisy = draws[0], draws[len(draws) // 2]
    assert list(clean.image) == list(noisy.image)


@pytest.fixture(scope="module")
def few():
    """At most 16 images of a class and split."""
    table = read_parquet(verified("symbols.parquet"), IMAGES)
    return table[table.groupby(["label", "split"]).cumcount() < SHOTS].reset_index(drop=True)


def test_every_run_has_a_row(few):
    paper = protocol_values("paper", Rules.shipped().protocols)
    short = paper | {"settings": paper["settings"] | {"epochs": 1, "draws": 10}}
    towers = {"ours": FOLDER / "mini-rn.safetensors"}
    found = pd.DataFrame(measure_dataset(towers, "symbols", few, short))
    for tower in ("ours", NO_TOWER):
        own = found[found.tower == tower]
        assert list(zip(own.wrong_labels, own.seed, strict=True)) == RUNS
    assert found[found.tower == NO_TOWER].random_val.isna().all()
    (kept,) = robustness(found).kept.dropna()
    assert 35 < kept < 70


def test_text_towers_of_other_image_towers_are_refused(few):
    towers = [FOLDER / f"{name}.safetensors" for name in ("mini-rn", "mini-vit")]
    with pytest.raises(SystemExit, match=r"mini-vit.safetensors: its image tower differs"):
        shared_features(towers, few[few.split == "val"])
