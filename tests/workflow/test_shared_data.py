"""Two studies share a data root, and neither makes the other run again."""

import yaml

from tests.workflow.conftest import Study

TEMPLATE = "a photo of a {}."


def beside(study: Study, name: str, **changes) -> Study:
    """Another study beside a first one, with the same data root and results of its own."""
    said = yaml.safe_load(Study.create(study.folder / "unused", **changes).overlay.read_text())
    said["pathvars"] = {"results": str(study.folder / name), "data": str(study.folder / "data")}
    overlay = study.folder / f"{name}.yaml"
    overlay.write_text(yaml.safe_dump(said))
    return Study(study.folder, overlay)


def test_two_folders_under_one_data_set_name_are_kept_apart(tmp_path):
    """Both are called from one folder, and so share Snakemake's record of what ran."""
    studies = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        own = {"birds": {"folder": str(tmp_path / name), "template": TEMPLATE}}
        base = Study(tmp_path, tmp_path / "unused")
        only = {"mini-rn": {"methods": ["zero_shot"]}, "mini-vit": None}
        studies.append(
            beside(base, f"results-{name}", datasets=["birds"], dataset_options=own, backbones=only)
        )
    for study in studies:
        study.pretend()
    for study in studies:
        assert study.planned() == {}
    assert len(list((tmp_path / "data").glob("birds@*/receipt.json"))) == 2


def test_another_list_of_mirrors_fetches_no_data_again(pretended, tmp_path):
    """Where images may be fetched from does not change them."""
    mirror = tmp_path / "mirror.yaml"
    mirror.write_text("{}\n")
    assert beside(pretended, "results", sources=[str(mirror)]).planned() == {
        "write_config": 1,
        "report_cost": 1,
        "write_report": 1,
        "all": 1,
    }
