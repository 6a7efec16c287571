import subprocess
import sys
from dataclasses import replace

import pytest

from ptnl.backbones.registry import BACKBONES
from ptnl.errors import InputError
from ptnl.study import grid
from ptnl.study.layouts import TABLES, fillable, shown

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
    assert len(sweeps) == 2 * (5 + 2)  # confusion noise is the primary backbone's alone
    runs = grid.runs(CONFIG)
    assert len(runs) == 2 * ((1 + 4 + 2 + 4 + 2) + (1 + 4))
    assert len(set(runs)) == len({run.path for run in runs}) == len(runs)
    assert runs[1].path == "icons/mini-rn/prompt_ce/symmetric/fp-0/seed-1"


def test_a_kind_of_noise_may_name_its_backbones():
    noise = {"symmetric": {"fps": [0, 8], "backbones": ["other"]}}
    sweeps = [s for s in grid.sweeps({**CONFIG, "noise": noise}) if s.noise == "symmetric"]
    assert {sweep.backbone for sweep in sweeps} == {"other"}


def test_pseudo_labels_have_one_rate():
    (sweep,) = [s for s in grid.sweeps(CONFIG) if s.method == "upl" and s.dataset == "icons"]
    assert (sweep.noise, sweep.fps, sweep.seeds) == ("pseudo_confident", (0,), (1, 2))
    assert set(sweep.runs) <= set(grid.pseudo_label_runs(CONFIG))


def test_gradients_are_studied_at_the_highest_rate():
    studied = grid.gradient_runs(CONFIG)
    assert {(run.method, run.noise, run.fp) for run in studied} == {("prompt_ce", "symmetric", 8)}
    assert len(studied) == 2 * 2


def test_random_prompts_are_no_runs():
    config = {**CONFIG, "methods": {**CONFIG["methods"], "random_prompt": {}}}
    assert grid.runs(config) == grid.runs(CONFIG)
    assert grid.random_prompts(config) == [("icons", "mini-rn"), ("symbols", "mini-rn")]


def test_what_trains_nothing_runs_once():
    (sweep,) = [s for s in grid.sweeps(CONFIG)[:1] if s.method == "zero_shot"]
    assert sweep.runs == [grid.Run("icons", "mini-rn", "zero_shot", "none", 0, 0)]


def test_only_tables_that_the_study_can_fill():
    assert fillable(TABLES, CONFIG) == [3]
    methods = {name: {} for name in TABLES[1].methods}
    assert fillable(TABLES, {**CONFIG, "methods": methods}) == [1, 3, 6]
    one_backbone = {**CONFIG, "backbones": {"mini-rn": {}}}
    assert fillable(TABLES, {**one_backbone, "methods": methods}) == [1, 6]
    other = {**one_backbone, "methods": methods, "noise": {"fp_swap": {"fps": [0, 8]}}}
    assert fillable(TABLES, other) == []
    assert fillable(TABLES, {**other, "random_noise": "fp_swap"}) == [1, 6]
    noise = {"symmetric": {"fps": [8]}, "confusion": {"fps": [8], "methods": ["prompt_ce"]}}
    methods["linear_probe"] = {}
    assert 4 not in fillable(TABLES, {**CONFIG, "methods": methods, "noise": noise})
    noise["confusion"]["methods"].append("linear_probe")
    assert 4 in fillable(TABLES, {**CONFIG, "methods": methods, "noise": noise})


def test_layouts_show_the_data_sets_of_the_paper_and_all_others():
    study = ["icons", "dtd", "oxford_pets", "imagenet"]
    assert shown(TABLES[1], study) == ["oxford_pets", "dtd", "icons"]
    assert shown(TABLES[3], study) == ["imagenet", "oxford_pets", "dtd", "icons"]


def test_rates_that_no_draw_holds_are_refused():
    with pytest.raises(InputError, match="17 wrong labels do not fit into 16 shots"):
        grid.check_grid(
            {**CONFIG, "backbones": {"mini-rn": {}}, "noise": {"symmetric": {"fps": [17]}}}
        )


def test_fine_tuning_needs_an_image_encoder(monkeypatch):
    lone = replace(BACKBONES["mini-rn"], image_encoder="")
    monkeypatch.setitem(BACKBONES, "lone", lone)
    config = {**CONFIG, "methods": {"prompt_ce": {}, "finetune": {}}, "primary_backbone": "lone"}
    with pytest.raises(InputError, match="lone: finetune needs an image encoder"):
        grid.check_grid({**config, "backbones": {"lone": {}}})
    grid.check_grid({**config, "backbones": {"lone": {"methods": ["prompt_ce"]}}})


def test_what_the_snakefile_imports_needs_no_torch(root):
    modules = ("study.grid", "study.config", "study.layouts", "schemas", "methods", "data")
    imports = "; ".join(f"import ptnl.{module}" for module in modules)
    check = f"{imports}; import sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=root).returncode == 0
