"""The grid of runs that a config asks for, and the tables and figures that it can fill."""

from dataclasses import replace

import pytest

from ptnl.backbones.registry import BACKBONES
from ptnl.errors import InputError
from ptnl.study import grid
from ptnl.study.layouts import TABLES, fillable, lacking, shown, unfilled
from tests.unit.fresh_process import loaded

CONFIG = {
    "datasets": ["icons", "symbols"],
    "primary_backbone": "mini-rn",
    "backbones": {"mini-rn": {}, "other": {"methods": ["zero_shot", "prompt_ce"]}},
    "shots": 16,
    "seeds": [1, 2],
    "noise": {
        "symmetric": {"fps": [0, 8]},
        "confusion": {"fps": [8], "methods": ["prompt_ce"]},
    },
    "random_noise": "symmetric",
    "methods": {"zero_shot": {}, "prompt_ce": {}, "linear_probe": {}, "upl": {}},
}


def test_the_grid_is_the_product_of_the_config():
    sweeps = grid.sweeps(CONFIG)
    assert len(sweeps) == 2 * (5 + 2)  # confusion noise is only for the primary backbone
    runs = grid.runs(CONFIG)
    assert len(runs) == 2 * ((1 + 4 + 2 + 4 + 2) + (1 + 4))
    assert len(set(runs)) == len({run.path for run in runs}) == len(runs)
    assert runs[1].path == "icons/mini-rn/prompt_ce/symmetric/fp-0/seed-1"


def test_a_kind_of_noise_may_name_its_backbones():
    noise = {"symmetric": {"fps": [0, 8], "backbones": ["other"]}}
    sweeps = [s for s in grid.sweeps({**CONFIG, "noise": noise}) if s.noise == "symmetric"]
    assert {sweep.backbone for sweep in sweeps} == {"other"}


def test_a_method_on_pseudo_labels_runs_at_one_rate():
    (sweep,) = [s for s in grid.sweeps(CONFIG) if s.method == "upl" and s.dataset == "icons"]
    assert (sweep.noise, sweep.fps, sweep.seeds) == ("pseudo_confident", (0,), (1, 2))
    assert set(sweep.runs) <= set(grid.pseudo_label_runs(CONFIG))


@pytest.mark.parametrize("rates", [1, 2, 3, 4, 7, 20])
@pytest.mark.parametrize("seeds", [1, 4, 5, 40])
def test_a_job_trains_a_bounded_part_of_a_sweep(rates, seeds):
    config = {"fuse": True, "seeds": list(range(1, seeds + 1))}
    parts = grid.parts(config, "symmetric", tuple(range(rates)))
    assert [seed for part in parts for seed in part.seeds] == config["seeds"]
    assert all(len(part.seeds) == 1 or rates * len(part.seeds) <= 16 for part in parts)
    assert len({part.rule for part in parts}) == len({part.place for part in parts}) == len(parts)
    more = grid.parts({**config, "seeds": [*config["seeds"], 100]}, "symmetric", (0,) * rates)
    assert parts[:-1] == more[: len(parts) - 1]
    assert (parts[-1] == more[len(parts) - 1]) == (len(more) > len(parts))


def test_gradients_are_studied_at_the_highest_rate():
    studied = grid.gradient_runs(CONFIG)
    assert {(run.method, run.noise, run.fp) for run in studied} == {("prompt_ce", "symmetric", 8)}
    assert len(studied) == 2 * 2


def test_random_prompts_are_not_counted_as_runs():
    config = {**CONFIG, "methods": {**CONFIG["methods"], "random_prompt": {}}}
    assert grid.runs(config) == grid.runs(CONFIG)
    assert grid.random_prompts(config) == [("icons", "mini-rn"), ("symbols", "mini-rn")]


def test_a_method_that_trains_nothing_runs_once():
    (sweep,) = [s for s in grid.sweeps(CONFIG)[:1] if s.method == "zero_shot"]
    assert sweep.runs == [grid.Run("icons", "mini-rn", "zero_shot", "none", 0, 0)]


def test_only_tables_that_the_study_can_fill_are_shown():
    assert fillable(TABLES, CONFIG) == [3]
    methods = {name: {} for name in TABLES[1].methods}
    assert fillable(TABLES, {**CONFIG, "methods": methods}) == [1, 3]
    one_backbone = {**CONFIG, "backbones": {"mini-rn": {}}}
    assert fillable(TABLES, {**one_backbone, "methods": methods}) == [1]
    other = {**one_backbone, "methods": methods, "noise": {"fp_swap": {"fps": [0, 8]}}}
    assert fillable(TABLES, other) == []
    assert fillable(TABLES, {**other, "random_noise": "fp_swap"}) == [1]
    noise = {"symmetric": {"fps": [8]}, "confusion": {"fps": [8], "methods": ["prompt_ce"]}}
    methods["linear_probe"] = {}
    assert 4 not in fillable(TABLES, {**CONFIG, "methods": methods, "noise": noise})
    noise["confusion"]["methods"].append("linear_probe")
    assert 4 in fillable(TABLES, {**CONFIG, "methods": methods, "noise": noise})


def test_what_a_study_lacks_for_a_table_is_said_in_one_line():
    assert "Figure 2 needs prompt_gce, linear_probe_gce." in unfilled(CONFIG)
    assert "Table 4 needs linear_probe under confusion noise." in unfilled(CONFIG)
    assert not any(sentence.startswith("Table 7 ") for sentence in unfilled(CONFIG))
    assert lacking(TABLES, 7, CONFIG) == "more data sets than Table 2 shows"
    one_backbone = {**CONFIG, "backbones": {"mini-rn": {}}}
    assert "Table 3 needs prompt_ce with a second backbone." in unfilled(one_backbone)
    of_dataset = {**CONFIG, "dataset_methods": {"icons": ["zero_shot"]}}
    assert "Table 3 needs prompt_ce with mini-rn on icons." in unfilled(of_dataset)
    imagenet = {**CONFIG, "datasets": ["imagenet"]}
    assert "Table 1 needs one of the data sets oxford_pets, food101, dtd, ucf101." in unfilled(
        imagenet
    )


def test_the_long_table_is_shown_only_if_it_shows_more_data_sets():
    methods = {name: {} for name in TABLES[1].methods}
    config = {**CONFIG, "methods": methods, "backbones": {"mini-rn": {}}}
    assert fillable(TABLES, {**config, "datasets": ["dtd", "ucf101"]}) == [1]
    assert fillable(TABLES, {**config, "datasets": ["dtd", "flowers102"]}) == [1, 6]
    assert fillable(TABLES, {**config, "datasets": ["flowers102"]}) == [6]


def test_layouts_show_the_data_sets_of_the_paper_and_all_others():
    study = ["icons", "dtd", "oxford_pets", "imagenet"]
    assert shown(TABLES[1], study) == ["oxford_pets", "dtd", "icons"]
    assert shown(TABLES[3], study) == ["imagenet", "oxford_pets", "dtd", "icons"]


def test_more_wrong_labels_than_shots_are_refused():
    with pytest.raises(InputError, match="17 wrong labels do not fit into 16 shots"):
        grid.check_grid(
            {**CONFIG, "backbones": {"mini-rn": {}}, "noise": {"symmetric": {"fps": [17]}}}
        )


def test_fine_tuning_needs_an_image_encoder(monkeypatch):
    monkeypatch.setitem(BACKBONES, "lone", replace(BACKBONES["mini-rn"], image_encoder=""))
    config = {**CONFIG, "methods": {"prompt_ce": {}, "finetune": {}}, "primary_backbone": "lone"}
    with pytest.raises(InputError, match="lone: finetune needs an image encoder"):
        grid.check_grid({**config, "backbones": {"lone": {}}})
    grid.check_grid({**config, "backbones": {"lone": {"methods": ["prompt_ce"]}}})


def test_modules_that_the_snakefile_imports_do_not_load_torch():
    modules = ("study.grid", "study.config", "study.layouts", "schemas", "methods", "data")
    assert loaded("; ".join(f"import ptnl.{module}" for module in modules), "torch") == []
