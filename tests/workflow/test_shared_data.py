"""Two studies on one data root: neither undoes what the other has."""

import yaml

from tests.workflow.conftest import Study

TEMPLATE = "a photo of a {}."


def beside(study: Study, name: str, **changes) -> Study:
    """Another study in the folder of a first one: on its data root, with results of its own."""
    said = yaml.safe_load(Study.create(study.folder / "unused", **changes).overlay.read_text())
    said["pathvars"] = {"results": str(study.folder / name), "data": str(study.folder / "data")}
    overlay = study.folder / f"{name}.yaml"
    overlay.write_text(yaml.safe_dump(said))
    return Study(study.folder, overlay)


def test_two_folders_of_one_name(tmp_path):
    """Called from one folder, with one record of what ran, as two overlays of a user's are."""
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


def test_what_a_data_set_is_said_to_be_does_not_fetch_it_again(pretended, tmp_path):
    """Its template, its sizes and where it may be fetched from decide no image."""
    mirror = tmp_path / "mirror.yaml"
    mirror.write_text("{}\n")
    assert beside(pretended, "results", sources=[str(mirror)]).planned() == {
        "write_config": 1,
        "report_cost": 1,
        "write_report": 1,
        "all": 1,
    }
