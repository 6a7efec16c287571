"""Backbones that the package does not ship, through the workflow."""

import json
from pathlib import Path

import pyarrow.parquet as pq

from tests.backbones import main as write_model
from tests.workflow.conftest import Study

NO_MINIS = {"mini-rn": None, "mini-vit": None}
NO_CONFUSION = {"confusion": None}  # config.yaml has it for mini-rn alone


def test_a_backbone_is_fetched_once_and_shipped_ones_never(tmp_path):
    methods = {"methods": ["zero_shot", "prompt_ce"]}
    both = {**NO_MINIS, "RN50": methods, "ViT-B-32": methods}
    study = Study.create(tmp_path, backbones=both, primary_backbone="RN50", noise=NO_CONFUSION)
    planned = study.planned()
    assert planned["fetch_backbone"] == planned["encode_images"] == 2
    features = str(study.results / "features/symbols/ViT-B-32.npy")
    assert study.planned(features)["fetch_backbone"] == 1
    assert "fetch_backbone" not in Study.create(tmp_path / "minis").planned()


def test_a_users_own_model_runs(tmp_path):
    """Its files are copied and checked; jobs know nothing of the model but their paths."""
    config, weights = str(tmp_path / "small.json"), str(tmp_path / "small.safetensors")
    write_model(["--model", "RN50", "--small", "--config", config, "--weights", weights])
    entry = {"model": config, "weights": weights, "methods": ["zero_shot"]}
    study = Study.create(
        tmp_path, backbones={**NO_MINIS, "mine": entry}, primary_backbone="mine", noise=NO_CONFUSION
    )
    labels = study.results / "pseudolabels/symbols/mine.parquet"
    said = study.snakemake(str(labels))
    assert said.returncode == 0, said.stdout + said.stderr
    assert pq.read_metadata(labels).num_rows > 0
    (receipt,) = study.folder.glob("data/backbones/mine@*/receipt.json")
    assert json.loads(receipt.read_text())["source"] == weights
    assert study.planned(str(labels)) == {}

    for file in (config, weights):
        Path(file).unlink()
    write_model(["--seed", "1", "--small", "--config", config, "--weights", weights])
    assert study.planned(str(labels)).keys() >= {"fetch_backbone", "encode_images"}
