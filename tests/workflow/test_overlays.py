"""The overlays in workflow/docs/overlays.md run as they stand there, on small images."""

import csv
import subprocess
from pathlib import Path

import pandas as pd
import pytest
import yaml

from ptnl.study.config import REPOSITORY, read_study
from ptnl.study.grid import sweeps
from tests.archives import class_folders, picture
from tests.backbones import main as write_model
from tests.blocks import DOCS, blocks_of
from tests.warm import called

OVERLAYS = {
    yaml.safe_load(block.code)["study"]: block.code
    for block in blocks_of(DOCS / "overlays.md")
    if block.language == "yaml"
}
CLASSES = ("red", "green", "blue")
METHODS = ("zero_shot", "linear_probe", "prompt_ce", "prompt_gce")
SPLITS = {"train": 20, "test": 4}  # images a class
WRONG = ("train/red/0.jpg", "train/red/1.jpg", "train/green/0.jpg")  # crowd.csv calls them blue


def write_table(path: Path, wrong: tuple[str, ...]) -> None:
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "class_name", "split"])
        for split, images in SPLITS.items():
            for name in CLASSES:
                for number in range(images):
                    image = f"{split}/{name}/{number}.jpg"
                    table.writerow([image, "blue" if image in wrong else name, split])


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """A user's folder: images, tables, weights, and the page's overlays."""
    folder = tmp_path_factory.mktemp("desk")
    for label, name in enumerate(CLASSES):
        for split, images in SPLITS.items():
            (folder / "signs" / split / name).mkdir(parents=True)
            for number in range(images):
                packed = picture(split, label, number)
                (folder / "signs" / split / name / f"{number}.jpg").write_bytes(packed)
    class_folders(folder / "photos", CLASSES, 40)
    write_table(folder / "signs.csv", ())
    write_table(folder / "crowd.csv", WRONG)
    files = ["--config", folder / "ours.json", "--weights", folder / "ours.safetensors"]
    write_model(["--small", *map(str, files)])
    for study, overlay in OVERLAYS.items():
        (folder / f"{study}.yaml").write_text(overlay)
    # Few and short trainings, so that the test ends soon.
    short = {
        "seeds": [1, 2],
        "methods": {"prompt_ce": {"epochs": 1}, "prompt_gce": {"epochs": 1}},
    }
    (folder / "short.yaml").write_text(yaml.safe_dump(short))
    return folder


def run(desk: Path, *arguments: str) -> subprocess.CompletedProcess:
    return called(["ptnl", "run", "--cores", "1", *arguments], desk)


def trained(desk: Path, study: str, dataset: str, backbone: str, fp: int) -> pd.DataFrame:
    """Train a run of prompt tuning; the labels that it was trained on."""
    folder = f"runs/{dataset}/{backbone}/prompt_ce/symmetric/fp-{fp}/seed-2"
    target = f"results/{study}/{folder}/metrics.json"
    said = run(desk, target, "--study", f"{study}.yaml", "--study", "short.yaml")
    assert said.returncode == 0, said.stdout + said.stderr
    assert (desk / target).is_file()
    return pd.read_parquet(
        desk / f"results/{study}/noise/{dataset}/symmetric/fp-{fp}/seed-2.parquet"
    )


def test_the_page_has_four_overlays():
    assert list(OVERLAYS) == ["photos", "signs", "as_they_are", "ours"]


@pytest.mark.parametrize("study", OVERLAYS)
def test_an_overlay_plans_its_methods_and_no_others(desk, study):
    """No file of the study is there, so only the overlay decides."""
    config = read_study(REPOSITORY, [desk / f"{study}.yaml"], {})
    assert {sweep.method for sweep in sweeps(config)} == set(METHODS)
    assert list(config["noise"]) == ["symmetric"]
    said = run(desk, "--study", f"{study}.yaml", "--", "--dry-run")
    assert said.returncode == 0, said.stdout + said.stderr
    assert not (desk / "results" / study).exists()


@pytest.mark.parametrize(
    ("study", "dataset", "backbone"),
    [("photos", "photos", "mini-rn"), ("signs", "signs", "mini-rn"), ("ours", "photos", "ours")],
)
def test_an_overlay_trains_on_wrong_labels(desk, study, dataset, backbone):
    """From the images to a run of prompt tuning."""
    noisy = trained(desk, study, dataset, backbone, fp=8)
    assert noisy.groupby("label_clean").is_noisy.sum().tolist() == [8, 8, 8]


def test_an_overlay_trains_on_labels_as_they_are(desk):
    """On every training image, with the labels of the table, wrong ones among them."""
    labels = trained(desk, "as_they_are", "crowd", "mini-rn", fp=0)
    assert labels.label.value_counts().tolist() == [23, 19, 18]
