"""A real run of a study that trains on augmented views."""

import numpy as np
import pytest

from ptnl.io import read_json, read_parquet
from ptnl.schemas import VIEW_IMAGES
from tests.workflow.conftest import Study

VIEWS, SEED, SHOTS = 2, 1, 8


@pytest.fixture(scope="module")
def augmented(tmp_path_factory) -> Study:
    study = Study.create(
        tmp_path_factory.mktemp("views"),
        views=VIEWS,
        seeds=[SEED],
        shots=SHOTS,
        noise={"symmetric": {"fps": [4]}, "fp_swap": {"fps": [2]}},
        backbones={
            "mini-rn": {"methods": ["zero_shot", "prompt_ce", "linear_probe", "upl"]},
            "mini-vit": None,
        },
    )
    said = study.snakemake(str(study.results / "runs.parquet"))
    assert said.returncode == 0, said.stdout + said.stderr
    return study


def test_every_image_of_every_draw_has_its_views(augmented):
    folder = augmented.results / "views/symbols/mini-rn"
    images = read_parquet(folder / f"seed-{SEED}.parquet", VIEW_IMAGES).image
    views = np.load(folder / f"seed-{SEED}.npy")
    assert views.shape == (VIEWS, len(images), 128)
    assert np.isfinite(views).all()
    assert (views[0] != views[1]).any(axis=1).all()
    draws = [
        draw
        for folder_of_draws in ("noise", "pseudoshots")
        for draw in (augmented.results / folder_of_draws).rglob(f"seed-{SEED}.parquet")
    ]
    seen = [set(read_parquet(draw, VIEW_IMAGES).image) for draw in draws]
    assert len(seen) == 4  # symmetric, confusion, imported, pseudo-labels
    assert set(images) == set.union(*seen)
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize(
    ("run", "views"),
    [
        ("prompt_ce/fp_swap/fp-2", VIEWS),
        ("upl/pseudo_confident/fp-0", VIEWS),
        ("linear_probe/symmetric/fp-4", 0),  # it has no epochs to show views in
    ],
)
def test_runs_say_on_how_many_views_they_were_trained(augmented, run, views):
    folder = augmented.results / f"runs/symbols/mini-rn/{run}/seed-{SEED}"
    assert read_json(folder / "metrics.json")["settings"]["views"] == views
