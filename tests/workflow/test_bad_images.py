"""A real run of a study that has an unreadable image among its data."""

import numpy as np

from ptnl.io import read_metadata, read_parquet
from ptnl.schemas import MANIFEST
from tests.workflow.conftest import Study

BAD = "topcoat/arrow-left.png"


def test_bad_images_are_skipped_where_the_config_says_so(tmp_path):
    study = Study.create(tmp_path, on_bad_image="skip", backbones={"mini-vit": None})
    said = study.snakemake(str(tmp_path / "data/symbols/receipt.json"))
    assert said.returncode == 0, said.stdout + said.stderr
    path = tmp_path / "data/symbols/images" / BAD
    path.write_bytes(path.read_bytes()[:-40])
    features = study.results / "features/symbols/mini-rn.npy"
    said = study.snakemake(str(features), str(study.results / "datasets.md"))
    assert said.returncode == 0, said.stdout + said.stderr
    manifest = study.results / "manifests/symbols.parquet"
    assert read_metadata(manifest)["settings"]["skipped"] == [BAD]
    images = read_parquet(manifest, MANIFEST).image
    assert BAD not in set(images)
    assert np.load(features, mmap_mode="r").shape == (len(images), 128)
    assert f"{BAD}: not readable" in (study.results / "logs/index_dataset/symbols.log").read_text()
    assert f"`{BAD}`" in (study.results / "datasets.md").read_text()
