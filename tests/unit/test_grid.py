import subprocess
import sys

import pytest

from ptnl import grid
from ptnl.errors import InputError
from ptnl.layouts import TABLES, fillable

CONFIG = {
    "datasets": ["icons", "symbols"],
    "primary_backbone": "mini-rn",
    "backbones": {"mini-rn": {}, "other": {"methods": ["zero_shot", "prompt_ce"]}},
    "shots": 16,
    "seeds": [1, 2],
    "noise": {"symmetric": [0, 8]},
    "random_noise": "symmetric",
    "methods": {"zero_shot": {}, "prompt_ce": {}, "linear_probe": {}},
}


def test_the_grid_is_the_product_of_the_config():
    sweeps = grid.sweeps(CONFIG)
    assert len(sweeps) == 2 * (3 + 2)
    runs = grid.runs(CONFIG)
    assert len(runs) == 2 * (1 + 2 * 4 + 1 + 4)
    assert len(set(runs)) == len({run.path for run in runs}) == len(runs)
    assert runs[1].path == "icons/mini-rn/prompt_ce/symmetric/fp-0/seed-1"


def test_what_trains_nothing_runs_once():
    (sweep,) = [s for s in grid.sweeps(CONFIG)[:1] if s.method == "zero_shot"]
    assert sweep.runs == [grid.Run("icons", "mini-rn", "zero_shot", "none", 0, 0)]


def test_only_tables_that_the_study_can_fill():
    assert fillable(TABLES, CONFIG) == []
    methods = {name: {} for name in TABLES[1].methods}
    assert fillable(TABLES, {**CONFIG, "methods": methods}) == [1]
    other = {**CONFIG, "methods": methods, "noise": {"fp_swap": [0, 8]}}
    assert fillable(TABLES, other) == []
    assert fillable(TABLES, {**other, "random_noise": "fp_swap"}) == [1]


def test_rates_that_no_draw_holds_are_refused():
    with pytest.raises(InputError, match="17 wrong labels do not fit into 16 shots"):
        grid.check_grid({**CONFIG, "backbones": {"mini-rn": {}}, "noise": {"symmetric": [17]}})


def test_what_the_snakefile_imports_needs_no_torch(root):
    imports = "import ptnl.grid, ptnl.config, ptnl.layouts, ptnl.schemas, ptnl.methods, ptnl.data"
    check = f"{imports}, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], cwd=root).returncode == 0
