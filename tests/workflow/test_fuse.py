"""With `fuse: false` every seed has a job of its own; files and numbers stay the same."""

import json

import numpy as np
import pytest

from ptnl.backbones.assets import FOLDER
from ptnl.cli import tune_method
from ptnl.data import DATASETS
from ptnl.io import read_json, read_parquet
from ptnl.methods import METHODS
from ptnl.schemas import HISTORY, RUN_FILES
from ptnl.study.config import read_study
from tests.workflow.conftest import ROOT, SMOKE, Study

STUDY = read_study(ROOT, [SMOKE], {})

# The methods of the smoke study that train on features, at several noise rates.
SWEPT = [
    name
    for name, method in METHODS.items()
    if name in STUDY["methods"]
    and method.is_trained
    and (method.labels, method.trains_on) == ("noise", "features")
]


def test_without_fusing_every_seed_has_its_job(tmp_path):
    planned = Study.create(tmp_path, fuse=False).planned()
    assert planned["tune_method_symmetric"] == (16 + 2) * 2  # with mini-rn and mini-vit
    assert planned["finetune_backbone_symmetric"] == 2
    planned = Study.create(tmp_path).planned()
    assert planned["tune_method_symmetric"] == 16 + 2
    assert planned["finetune_backbone_symmetric"] == 1


def test_a_single_run_is_a_target(tmp_path):
    study = Study.create(tmp_path, fuse=False)
    run = study.results / "runs/symbols/mini-rn/prompt_ce/symmetric/fp-8/seed-2/metrics.json"
    assert study.planned(str(run))["tune_method_symmetric"] == 1


@pytest.mark.parametrize("method", SWEPT)
def test_a_run_trained_alone_has_the_numbers_of_its_sweep(smoke, tmp_path, method):
    """Losses agree to 1e-3, accuracies to 0.2 points."""
    results = smoke.results
    fused = results / f"runs/symbols/mini-rn/{method}/symmetric/fp-8/seed-2"
    metrics = read_json(fused / "metrics.json")
    draw = results / "noise/symbols/symmetric/fp-8/seed-2.parquet"
    options = {
        "method": method,
        "settings": json.dumps(metrics["settings"]),
        "dataset": "symbols",
        "template": DATASETS["symbols"].template,
        "backbone": "mini-rn",
        "model-config": FOLDER / "mini-rn.json",
        "weights": FOLDER / "mini-rn.safetensors",
        "manifest": results / "manifests/symbols.parquet",
        "features": results / "features/symbols/mini-rn.npy",
        "shots": draw,
        "out": tmp_path,
    }
    tune_method.main([str(word) for key, value in options.items() for word in (f"--{key}", value)])
    assert {path.name for path in tmp_path.iterdir()} == set(RUN_FILES)
    together = read_parquet(fused / "history.parquet", HISTORY)
    alone = read_parquet(tmp_path / "history.parquet", HISTORY)
    np.testing.assert_allclose(alone.loss, together.loss, rtol=1e-3)
    accuracy = read_json(tmp_path / "metrics.json")["accuracy"]
    assert accuracy == pytest.approx(metrics["accuracy"], abs=0.2)
