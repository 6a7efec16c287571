"""What the workflow plans, and how it refuses bad input."""

import pytest

from tests.workflow.conftest import Study


def test_the_embedded_study(tmp_path):
    assert Study.create(tmp_path, base=None).planned() == {
        "all": 1,
        "download_dataset": 2,
        "index_dataset": 2,
        "sample_shots": 2 * 4,
        "inject_noise": 2 * 4 * 4,
        "encode_images": 2,
        "pseudolabel_zeroshot": 2,
        "tune_method_symmetric": 2 * 6,
        "collect_runs": 1,
        "make_table": 1,
        "plot_figure": 1,
    }


def test_a_grid_of_2000_runs(tmp_path):
    seeds = list(range(1, 43))
    study = Study.create(tmp_path, base=None, seeds=seeds)
    planned = study.planned()
    assert planned["tune_method_symmetric"] == 2 * 6
    assert planned["inject_noise"] == 2 * 4 * len(seeds)
    assert 2 * 6 * 4 * len(seeds) > 2000


def test_views_are_encoded_once_a_seed(tmp_path):
    """For the methods that are trained by epochs, whatever their number and that of the rates."""
    assert "encode_views" not in Study.create(tmp_path).planned()
    assert Study.create(tmp_path, views=2).planned()["encode_views"] == 2
    assert Study.create(tmp_path, views=2, fuse=False).planned()["encode_views"] == 2
    probes = {"mini-rn": {"methods": ["zero_shot", "linear_probe"]}}
    assert "encode_views" not in Study.create(tmp_path, views=2, backbones=probes).planned()


def test_gpu_slots_without_a_gpu(tmp_path):
    assert Study.create(tmp_path).planned("all_tables", "--resources", "gpu=2")["make_table"] == 1


@pytest.mark.parametrize("target", ["table1", "figure2", "all_tables", "all_figures"])
def test_targets_by_name(tmp_path, target):
    planned = Study.create(tmp_path).planned(target)
    assert planned["collect_runs"] == 1
    assert ("make_table" in planned) == ("table" in target)
    assert ("plot_figure" in planned) == ("figure" in target)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"shot": 16}, "config: unknown key 'shot'; did you mean 'shots'?"),
        (
            {"methods": {"promt_ce": {}}},
            "unknown key 'methods.promt_ce'; did you mean 'prompt_ce'?",
        ),
        ({"shots": 4}, "config: noise.symmetric: 8 wrong labels do not fit into 4 shots"),
    ],
)
def test_a_bad_config_is_one_sentence(tmp_path, changes, sentence):
    said = Study.create(tmp_path, **changes).snakemake("--dry-run")
    assert said.returncode != 0
    assert sentence in said.stderr + said.stdout
    assert "Traceback" not in said.stderr + said.stdout
