"""The commands on the page "Your own images" do what the page says."""

import os
import re
import subprocess

import pandas as pd
import pytest

from ptnl.own.exchange import FORMATS
from tests.warm import write_script

BLOCK = re.compile(r"^```(bash|python)\n(.*?)^```", flags=re.M | re.S)

CLASSES = 12  # of the page's icons, so that the tour takes less time
# Suggestions that are accepted without looking: the page accepts fifty, with all icons.
TRUSTED = 18


def keep_some_classes(folder):
    """Take the images of most classes out of the data set that the page has downloaded."""
    manifest = pd.read_parquet(folder / "icons.parquet")
    kept = manifest.class_name.isin(sorted(manifest.class_name.unique())[:CLASSES])
    for image in manifest.image[~kept]:
        (folder / "icons/images" / image).unlink()
    manifest[kept].to_parquet(folder / "icons.parquet")


@pytest.fixture(scope="module")
def followed(root, tmp_path_factory):
    """The folder in which all commands of the page have run, in their order, on a few classes."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "bin").mkdir()
    for name in ("ptnl", "python"):
        write_script(folder / "bin" / name, name)
    environment = {
        **os.environ,
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(root),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    blocks = BLOCK.findall((root / "workflow/docs/own-images.md").read_text())
    assert len(blocks) > 8
    for number, (kind, code) in enumerate(blocks):
        if number == 1:
            keep_some_classes(folder)
        code = code.replace("head(50)", f"head({TRUSTED})")
        command = [*{"bash": ("bash", "-e"), "python": (folder / "bin/python",)}[kind], "-c", code]
        ran = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, (code, ran.stderr)
    return folder


def test_the_tour_finds_and_corrects_wrong_labels(followed):
    manifest = pd.read_parquet(followed / "icons.parquet").set_index("image").class_name
    before = pd.read_csv(followed / "labels.csv").set_index("image").label
    after = pd.read_csv(followed / "audit/labels.corrected.csv").set_index("image").label
    wrong_before = (before != manifest[before.index]).sum()
    wrong_after = (after != manifest[after.index]).sum()
    assert wrong_before == len(range(0, len(before), 10))  # every tenth
    assert wrong_after < wrong_before
    first = pd.read_csv(followed / "decisions.csv")
    true = manifest[first.image].to_numpy()
    assert len(first) == TRUSTED
    assert (first.label != true).sum() > 0.7 * TRUSTED
    assert (first.new_label == true).sum() > 0.5 * TRUSTED


def test_the_tour_predicts_every_image(followed):
    manifest = pd.read_parquet(followed / "icons.parquet")
    predictions = pd.read_csv(followed / "predictions.csv")
    assert sorted(predictions.image) == sorted(manifest.image)
    test = manifest[manifest.split == "test"].set_index("image").class_name
    right = predictions.set_index("image").class_1[test.index] == test
    assert right.mean() > 0.5


def test_the_page_names_every_export_format(root):
    page = (root / "workflow/docs/own-images.md").read_text()
    assert all(f"`{kind}`" in page for kind in FORMATS)
