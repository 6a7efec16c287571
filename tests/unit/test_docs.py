"""The examples on the documentation's pages work, and what the pages name exists."""

# `compile` below inherits this import, which code for ptnl.labels.noise needs.
from __future__ import annotations

import copy
import re
import sys
import types
from importlib import import_module

import open_clip
import pandas as pd
import pytest
import torch
import yaml

from ptnl import methods
from ptnl.backbones.registry import backbones_of
from ptnl.cli import download_dataset
from ptnl.data import DATASETS
from ptnl.fetch.sources import load_sources
from ptnl.labels import noise
from ptnl.schemas import HISTORY
from ptnl.study.config import Rules, study_config
from ptnl.study.grid import sweeps
from ptnl.study.method_schema import with_methods
from ptnl.study.protocols import merged
from ptnl.training import losses
from ptnl.training.tuning import top1_accuracy
from tests.archives import write_zip
from tests.unit import test_methods
from tests.unit.reference import tune
from tests.unit.test_methods import toy

BLOCK = re.compile(r"^```(python|yaml)\n# (\S+)\n(.*?)^```", flags=re.M | re.S)


@pytest.fixture
def extended(root, monkeypatch) -> dict:
    """Run the code of the page on extending; returns the config and the schema as it changes them.

    The registries hold the additions until the test ends.
    """
    registries = (losses.LOSSES, methods.METHODS, noise.NOISES, DATASETS)
    before = [copy.copy(registry) for registry in registries]
    documents = {
        name: yaml.safe_load((root / name).read_text())
        for name in ("config.yaml", "ptnl/study/config.schema.yaml", "ptnl/fetch/sources.yaml")
    }
    for kind, place, code in BLOCK.findall((root / "workflow/docs/extending.md").read_text()):
        if kind == "yaml":
            documents[place] = merged(documents[place], yaml.safe_load(code))
            continue
        name = place.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        if not (root / place).exists():
            monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        exec(compile(code, place, "exec"), vars(import_module(name)))
    yield documents
    for registry, old in zip(registries, before, strict=True):
        registry.clear()
        registry.update(old)


def test_additions_are_part_of_a_study(extended):
    schema = with_methods(extended["ptnl/study/config.schema.yaml"], methods.METHODS)
    rules = Rules(schema, Rules.shipped().protocols)
    full = study_config(extended["config.yaml"], rules)
    assert full["methods"]["prompt_smoothing"]["epochs"] == 50
    grid = {(sweep.method, sweep.noise, sweep.fps) for sweep in sweeps(full)}
    assert ("nearest_mean", "symmetric", (0, 2, 4, 8)) in grid
    assert ("prompt_smoothing", "lazy", (4, 8)) in grid
    assert ("linear_probe", "lazy", (4, 8)) not in grid


def test_the_method_that_is_added_learns(extended, tiny_backbone, monkeypatch):
    monkeypatch.setitem(test_methods.SETTINGS, "nearest_mean", {})
    for run in tune(toy("nearest_mean", tiny_backbone)):
        assert top1_accuracy(run.test_logits, torch.arange(4)) == 100  # one image a class
        assert list(run.history.columns) == list(HISTORY)


def test_training_lowers_the_loss_that_is_added(extended, tiny_backbone):
    for run in tune(toy("prompt_smoothing", tiny_backbone, epsilon=0.2)):
        assert run.history.loss.iloc[-1] < run.history.loss.iloc[0]


def test_the_noise_that_is_added_gives_every_class_its_wrong_labels(extended):
    images = pd.DataFrame(
        {"image": [f"{i}.png" for i in range(24)], "label": [0, 1, 2] * 8, "split": "train"}
    )
    labelled = noise.NOISES["lazy"].label(noise.Request(images, images, shots=8, fp=3, seed=1))
    assert labelled.groupby("label_clean").is_noisy.sum().tolist() == [3, 3, 3]
    assert labelled[labelled.is_noisy].groupby("label_clean").label.unique().map(list).tolist() == [
        [1],
        [0],
        [0],
    ]


def test_the_data_set_that_is_added_is_read(extended, tmp_path):
    (tmp_path / "sources.yaml").write_text(yaml.safe_dump(extended["ptnl/fetch/sources.yaml"]))
    names = {
        f"2750/{name}/{name}_{i}.jpg": b"" for name in ("SeaLake", "AnnualCrop") for i in range(10)
    }
    write_zip(tmp_path / "EuroSAT.zip", names)
    asked = ["--dataset", "eurosat", "--sources", str(tmp_path / "sources.yaml")]
    receipt = tmp_path / "eurosat/receipt.json"
    download_dataset.main([*asked, "--manual", str(tmp_path), "--out", str(receipt)])
    manifest = import_module("ptnl.data.eurosat").index("eurosat", receipt.parent / "images", {})
    assert manifest.groupby("label").class_name.first().tolist() == [
        "Annual Crop Land",
        "Sea or Lake",
    ]
    assert all((receipt.parent / "images" / image).is_file() for image in manifest.image)


def test_the_tests_that_a_page_names_exist(root):
    named = set(re.findall(r"`(test_\w+)`", (root / "workflow/docs/fast-core.md").read_text()))
    code = "".join(path.read_text() for path in (root / "tests").rglob("test_*.py"))
    assert named
    assert named <= set(re.findall(r"^def (test_\w+)", code, flags=re.M))


PAGE = "workflow/docs/datasets.md"


def test_the_configs_of_the_page_on_data_sets_are_valid(root):
    config = yaml.safe_load((root / "config.yaml").read_text())
    blocks = BLOCK.findall((root / PAGE).read_text())
    assert len(blocks) == 7
    for _, place, code in blocks:
        assert place == "config.yaml"
        study_config({**config, **yaml.safe_load(code)}, Rules.shipped())


def test_the_config_of_the_page_on_backbones_is_valid(root):
    config = yaml.safe_load((root / "config.yaml").read_text())
    ((_, place, code),) = BLOCK.findall((root / "workflow/docs/backbones.md").read_text())
    assert place == "config.yaml"
    study = study_config(merged(config, yaml.safe_load(code)), Rules.shipped())
    backbones = backbones_of(study)
    assert list(study["backbones"]) == ["RN50", "ViT-L-14", "ours", "ViT-B-32"]
    source = backbones["ViT-L-14"].source
    assert open_clip.is_pretrained_cfg(source.model, source.pretrained)


def test_every_data_set_has_a_section_with_its_sizes_source_and_licence(root):
    sections = re.split(r"^###? ", (root / PAGE).read_text(), flags=re.M)
    by_name = {section.split("\n", 1)[0]: section for section in sections}
    for name, dataset in DATASETS.items():
        section = " ".join(by_name[name].split())
        assert " / ".join(f"{size:,}" for size in dataset.sizes) in section, name
        if not dataset.assets:
            for word in ("*From*", "*Licence*", "*Cite*", "*Size*", "*What we do*"):
                assert word in section, name
    for source in load_sources().values():
        assert source.homepage in by_name[source.dataset]
