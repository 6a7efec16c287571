"""The workflow never changes the user's own files, and notices when the user changes them."""

from pathlib import Path

import pandas as pd

from ptnl.cli.data import main as data
from tests.archives import class_folders, picture
from tests.snapshot import snapshot
from tests.workflow.conftest import Study

TEMPLATE = "a photo of a {}."


def own_folder(folder: Path) -> Path:
    return class_folders(folder, ("red", "green"), 40)


def test_a_data_root_of_the_users_is_refused_and_unchanged(tmp_path):
    """Before any job runs: otherwise Snakemake would remove files that have names of outputs."""
    for name in ("dtd", "my_birds"):
        own_folder(tmp_path / "data" / name / "images")
        (tmp_path / "data" / name / "receipt.json").write_text('{"bought": "yesterday"}')
    options = {"folder": str(tmp_path / "data/my_birds/images"), "template": TEMPLATE}
    before = snapshot(tmp_path / "data")
    for name in ("dtd", "my_birds"):
        study = Study.create(
            tmp_path / name, datasets=[name], dataset_options={"my_birds": options}
        )
        overlay = study.overlay.read_text().replace(f"{study.folder}/data", f"{tmp_path}/data")
        study.overlay.write_text(overlay)
        said = study.snakemake(str(study.results / f"manifests/{name}.parquet"))
        if name == "dtd":
            assert said.returncode != 0
            assert "data/dtd/images: is in the way and ptnl did not make it" in said.stderr
        else:  # the user's folder is linked from a new place in the data root
            assert said.returncode == 0, said.stderr
    now = snapshot(tmp_path / "data")
    assert {path: now[path] for path in before if path in now} == before


def test_a_changed_folder_is_drawn_anew(tmp_path):
    folder = own_folder(tmp_path / "mine")
    own = {"folder": str(folder), "template": TEMPLATE}
    study = Study.create(tmp_path / "study", datasets=["mine"], dataset_options={"mine": own})
    draw, data_root = study.results / "shots/mine/seed-1.parquet", study.folder / "data"
    anew = {"download_dataset": 1, "index_dataset": 1, "sample_shots": 1}

    def drawn() -> set[str]:
        said = study.snakemake(str(draw))
        assert said.returncode == 0, said.stdout + said.stderr
        assert study.planned(str(draw)) == {}
        return set(pd.read_parquet(study.results / "manifests/mine.parquet").image)

    assert len(drawn()) == 80
    (folder / "red/new.jpg").write_bytes(picture("own", 0, 50))
    assert study.planned(str(draw)) == anew
    assert "red/new.jpg" in drawn()
    (folder / "green/0.jpg").write_bytes(picture("own", 1, 51))
    assert study.planned(str(draw)) == anew
    drawn()
    (folder / "green/1.jpg").unlink()
    assert study.planned(str(draw)) == anew
    assert "green/1.jpg" not in drawn()
    data(["refresh", "mine", "--data-root", str(data_root)])
    assert study.planned(str(draw)) == anew
    before = snapshot(folder)
    drawn()
    assert snapshot(folder) == before


def test_cleaning_removes_only_what_the_workflow_made(tmp_path):
    """`make clean` cleans the embedded study in this way."""
    folder = own_folder(tmp_path / "pictures")
    own = {"mine": {"folder": str(folder), "template": TEMPLATE}}
    study = Study.create(tmp_path, datasets=["mine"], dataset_options=own)
    said = study.snakemake(str(study.results / "shots/mine/seed-1.parquet"))
    assert said.returncode == 0, said.stdout + said.stderr
    kept = [study.results / "notebook.ipynb", study.results / "shots/mine/notes.txt"]
    kept += [tmp_path / "data/manual/dtd.tar.gz"]
    for path in kept:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    before = snapshot(folder)
    said = study.snakemake("--delete-all-output")
    assert said.returncode == 0, said.stdout + said.stderr
    assert not list(study.results.rglob("*.parquet"))
    assert not (tmp_path / "data/mine/receipt.json").exists()
    assert [path.read_text() for path in kept] == ["mine"] * 3
    assert snapshot(folder) == before
