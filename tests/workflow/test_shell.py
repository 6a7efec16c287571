"""No shell runs names and paths that would be commands if they were not quoted."""

import csv
from pathlib import Path

import pytest
import yaml

from tests.archives import class_folders
from tests.snapshot import snapshot
from tests.workflow.conftest import Study

# In a POSIX shell each of them would make a file, or end the command, if it were not quoted.
HOSTILE = (
    "$(touch ran)",
    "`touch ran`",
    "; touch ran;",
    "&& touch ran",
    "| touch ran",
    "> ran",
    "' ; touch ran ; '",
    '" ; touch ran ; "',
    "$IFS*?[a]~!#%\\",
    "-rf",
    "--out=ran",
)


def images(folder: Path, classes: list[str], count: int = 40) -> None:
    class_folders(folder, classes, count, " $(touch ran).jpg")


def nothing_ran(study: Study, said) -> bool:
    assert said.returncode == 0, said.stdout + said.stderr
    return not [path for path in study.folder.rglob("*ran") if path.name in ("ran", "--out=ran")]


def test_nothing_runs_in_names_of_folders_and_classes(tmp_path, monkeypatch):
    """All of them name classes; some are part of the paths of images, data root and results."""
    monkeypatch.setenv("IFS", " ")
    folder = tmp_path / 'it\'s $(touch ran); `touch ran` "&& touch ran"'
    images(folder, [*HOSTILE, "new\nline; touch ran"])
    study = Study.create(
        tmp_path / "study",
        datasets=["own"],
        dataset_options={"own": {"folder": str(folder), "template": "a '{}'; $(touch ran) `ran`."}},
        backbones={"mini-rn": {"methods": ["zero_shot"]}, "mini-vit": None},
    )
    said = yaml.safe_load(study.overlay.read_text())
    said["pathvars"] = {
        "results": str(study.folder / "re's; touch ran; $(touch ran)"),
        "data": str(study.folder / 'da"ta `touch ran` && touch ran'),
    }
    study.overlay.write_text(yaml.safe_dump(said))
    before = snapshot(folder)
    target = study.path("<results>/pseudolabels/own/mini-rn.parquet")
    assert nothing_ran(study, study.snakemake(str(target)))
    assert target.is_file()
    assert snapshot(folder) == before


def test_nothing_runs_in_a_table_and_its_path(tmp_path):
    folder = tmp_path / "images $(touch ran)"
    images(folder, ["a"], 120)
    table = tmp_path / "ta'ble; touch ran; `touch ran`.csv"
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "class_name"])
        for number in range(120):
            name = HOSTILE[number % 2] + "; touch ran\n$(touch ran)" * (number % 2)
            rows.writerow([f"a/{number} $(touch ran).jpg", name])
    own = {"manifest": str(table), "images": str(folder), "template": "{}."}
    study = Study.create(
        tmp_path / "study",
        datasets=["own"],
        dataset_options={"own": own},
        sources=[str(tmp_path / "mir`touch ran`ror; touch ran.yaml")],
    )
    Path(study_sources(study)).write_text("{}\n")
    target = study.path("<results>/shots/own/seed-1.parquet")
    assert nothing_ran(study, study.snakemake(str(target)))
    assert target.is_file()


def study_sources(study: Study) -> str:
    return yaml.safe_load(study.overlay.read_text())["sources"][0]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_in_the_config_are_refused(tmp_path, name):
    """A study, data set, backbone, device or protocol of that name is refused."""
    own = {name: {"folder": str(tmp_path), "template": "{}."}}
    for changes in (
        {"study": name},
        {"datasets": [name], "dataset_options": own},
        {"backbones": {name: {"model": "RN50", "pretrained": "openai"}}},
        {"device": name},
        {"protocol": name},
    ):
        said = Study.create(tmp_path / "study", **changes).snakemake("--dry-run")
        assert said.returncode != 0
        assert "Traceback" not in said.stderr
        assert "config: " in said.stdout + said.stderr
    assert not list(tmp_path.rglob("ran"))
