"""ptnl removes, replaces and moves only what it made itself, wherever a config points."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from ptnl.cli import download_dataset
from ptnl.cli.data import main as data
from ptnl.data.changes import state_of
from ptnl.errors import InputError
from ptnl.fetch.ownership import discard, make_scratch, put, remove, scratch
from ptnl.io import read_json
from tests.archives import BUILDERS, Small, class_folders, write_sources
from tests.faults.permissions import CLOSED, bound_by_modes, mode
from tests.snapshot import snapshot

TEMPLATE = "a photo of a {}."


def birds(folder: Path) -> Path:
    """Write a user's folder of images; returns it."""
    return class_folders(folder, ("owl", "wren"), 10)


@pytest.fixture(scope="module")
def dtd(tmp_path_factory) -> tuple[Path, Path, dict]:
    """Archives of a small DTD, the table of sources for them, and the sizes of its splits."""
    folder = tmp_path_factory.mktemp("archives")
    (folder / "dtd").mkdir()
    sizes = BUILDERS["dtd"](folder / "dtd", Small(classes=2, images=10))
    return folder / "dtd", write_sources(folder), sizes


def get(data_root: Path, name: str, dtd=None, **options) -> None:
    """Get a data set as the workflow does."""
    sources = ["--sources", str(dtd[1])] if dtd else []
    manual = str(dtd[0]) if dtd else str(data_root / "manual")
    asked = ["--dataset", name, "--options", json.dumps(options), "--manual", manual, *sources]
    download_dataset.main([*asked, "--out", str(data_root / name / "receipt.json")])


def test_a_data_set_that_another_process_got_meanwhile_is_not_got_again(tmp_path, dtd, monkeypatch):
    """The other process holds the lock first; its receipt is there when this one gets the lock."""
    alone = download_dataset.locked

    @contextmanager
    def after_another(path, waiting, **options):
        monkeypatch.setattr(download_dataset, "locked", alone)
        get(tmp_path, "dtd", dtd)
        seen.append(snapshot(tmp_path / "dtd/images"))
        with alone(path, waiting, **options):
            yield

    seen = []
    monkeypatch.setattr(download_dataset, "locked", after_another)
    get(tmp_path, "dtd", dtd)
    assert [snapshot(tmp_path / "dtd/images")] == seen
    get(tmp_path, "dtd", dtd)  # a second call gets the images again
    assert snapshot(tmp_path / "dtd/images") != seen[0]


def coop_layout(data_root: Path) -> None:
    """Write a user's data set in CoOp's layout, to which a user may well point `data_root`."""
    birds(data_root / "dtd/images")
    (data_root / "dtd/split_zhou_DescribableTextures.json").write_text("{}")


def own_folder_below_data_root(data_root: Path) -> dict:
    """Write a user's folder where the link to it would be; returns the data set's options."""
    return {"folder": str(birds(data_root / "my_birds/images")), "template": TEMPLATE}


def test_a_users_images_in_coops_layout_stay(tmp_path, dtd):
    coop_layout(tmp_path)
    before = snapshot(tmp_path)
    with pytest.raises(InputError) as caught:
        get(tmp_path, "dtd", dtd)
    for words in (f"{tmp_path}/dtd/images", "another data_root", "{dtd: {source: FOLDER}}"):
        assert words in str(caught.value)
    assert snapshot(tmp_path) == before


def test_a_users_folder_in_place_of_the_link_to_it_stays(tmp_path):
    options = own_folder_below_data_root(tmp_path)
    before = snapshot(tmp_path)
    with pytest.raises(
        InputError, match=r"my_birds/images: is in the way and ptnl did not make it"
    ):
        get(tmp_path, "my_birds", **options)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("kind", ["link", "dangling link", "file", "empty folder"])
def test_anything_in_place_of_the_images_stays(tmp_path, dtd, kind):
    birds(tmp_path / "birds")
    place = tmp_path / "data/dtd/images"
    place.parent.mkdir(parents=True)
    if kind == "file":
        place.write_text("mine")
    elif kind == "empty folder":
        place.mkdir()
    else:
        place.symlink_to(tmp_path / ("birds" if kind == "link" else "nowhere"))
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match="dtd/images: is in the way and ptnl did not make it"):
        get(tmp_path / "data", "dtd", dtd)
    assert snapshot(tmp_path) == before


def test_a_receipt_that_ptnl_did_not_write_stays(tmp_path, dtd):
    (tmp_path / "dtd").mkdir()
    (tmp_path / "dtd/receipt.json").write_text('{"shop": "books"}')
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match=r"dtd/receipt\.json: is in the way"):
        get(tmp_path, "dtd", dtd)
    assert snapshot(tmp_path) == before


def test_a_receipt_without_permission_to_read_is_named_as_such(tmp_path):
    get(tmp_path, "symbols")
    receipt = tmp_path / "symbols/receipt.json"
    command = [sys.executable, "-m", "ptnl.cli.download_dataset", "--dataset", "symbols"]
    command += ["--manual", str(tmp_path / "manual"), "--out", str(receipt)]
    before = snapshot(tmp_path)
    with mode(receipt, CLOSED):
        result = subprocess.run(
            bound_by_modes(command), capture_output=True, text=True, check=False
        )
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: {receipt}: you may not read this file")
    assert result.stderr.count("\n") == 1
    assert snapshot(tmp_path) == before


def test_a_link_is_replaced_but_the_folder_that_it_points_to_stays(tmp_path):
    first, second = birds(tmp_path / "first"), birds(tmp_path / "second")
    before = snapshot(first), snapshot(second)
    for folder in (first, second, second):
        get(tmp_path / "data", "mine", folder=str(folder), template=TEMPLATE)
        assert (tmp_path / "data/mine/images").resolve() == folder
    assert (snapshot(first), snapshot(second)) == before
    assert not list((tmp_path / "data/mine").glob("*.partial"))


@pytest.mark.parametrize("change", ["added", "written", "linked"])
def test_a_users_file_among_the_images_stays(tmp_path, dtd, change):
    """Getting the data set again replaces what ptnl unpacked, but not what the user put there."""
    get(tmp_path, "dtd", dtd, sizes=dtd[2])
    images = tmp_path / "dtd/images"
    users_file = sorted(images.rglob("*.jpg"))[0]
    if change == "added":
        users_file = images / "notes.txt"
        users_file.write_text("mine")
    elif change == "written":
        users_file.write_bytes(users_file.read_bytes() + b"mine")
    else:
        birds(tmp_path / "birds")
        users_file = images / "birds"
        users_file.symlink_to(tmp_path / "birds")
    before = snapshot(tmp_path)
    with pytest.raises(InputError) as caught:
        get(tmp_path, "dtd", dtd, splits="native", sizes=dtd[2])
    assert str(caught.value).startswith(
        f"{users_file}: ptnl did not put it there, or it has changed"
    )
    assert snapshot(tmp_path) == before
    users_file.unlink()  # once the user has removed the file, ptnl may replace the rest
    get(tmp_path, "dtd", dtd, splits="native", sizes=dtd[2])
    assert read_json(tmp_path / "dtd/receipt.json")["splits"] == "native"


def test_old_images_stay_until_new_ones_are_there(tmp_path, dtd):
    get(tmp_path, "dtd", dtd, sizes=dtd[2])
    before = snapshot(tmp_path / "dtd/images")
    shutil.rmtree(tmp_path / "dtd/archives")
    with pytest.raises(InputError, match="could not be fetched"):
        get(tmp_path, "dtd", (tmp_path / "nothing", dtd[1]), sizes=dtd[2])
    assert snapshot(tmp_path / "dtd/images") == before


def test_a_scratch_folder_that_ptnl_did_not_make_stays(tmp_path, dtd):
    scratch_folder = tmp_path / "dtd/.images.partial"
    scratch_folder.mkdir(parents=True)
    (scratch_folder / "thesis.tex").write_text("mine")
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match=r"\.images\.partial: is in the way and ptnl did not make"):
        get(tmp_path, "dtd", dtd)
    assert snapshot(tmp_path) == before


def test_a_scratch_folder_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / ".out.partial").symlink_to(tmp_path / "mine")
    before = snapshot(tmp_path)
    with pytest.raises(InputError, match="is in the way"):
        make_scratch(tmp_path / "out")
    assert snapshot(tmp_path) == before


def test_links_in_a_scratch_folder_are_not_followed(tmp_path):
    birds(tmp_path / "birds")
    before = snapshot(tmp_path)
    os.utime(tmp_path)
    with scratch(tmp_path / "out") as folder:
        (folder / "link").symlink_to(tmp_path / "birds")
        (folder / "deep").mkdir()
        (folder / "deep/link").symlink_to(tmp_path / "birds/owl")
    assert snapshot(tmp_path) == before
    with pytest.raises(ValueError, match="lies in no scratch folder"):
        discard(tmp_path / "birds")


def test_an_interrupted_removal_is_completed(tmp_path):
    made = make_scratch(tmp_path / "out") / "made"
    birds(made)
    place = tmp_path / "place"
    put(made, place)
    (place / "owl/3.jpg").unlink()  # as if the process had been killed after the first file
    remove(place)
    assert not place.exists()
    assert {path.name for path in tmp_path.iterdir()} == {".out.partial"}


def test_the_state_of_a_users_folder_changes_with_its_images(tmp_path):
    folder = birds(tmp_path / "mine")
    receipt, options = tmp_path / "data/mine/receipt.json", {"folder": str(folder)}
    states = [state_of(receipt, "mine", options)]

    def changes(is_changed: bool = True) -> None:
        states.append(state_of(receipt, "mine", options))
        assert (states[-1] != states[-2]) == is_changed

    changes(False)
    (folder / "owl/new.jpg").write_bytes(b"1")
    changes()
    (folder / "owl/new.jpg").rename(folder / "wren/new.jpg")
    changes()
    os.utime(folder / "wren/new.jpg", ns=(1, 1))
    changes()
    (folder / ".DS_Store").write_bytes(b"1")
    changes(False)
    (folder / "loop").symlink_to(folder)
    (folder / "dangling").symlink_to(tmp_path / "nowhere")
    changes(False)
    other = birds(tmp_path / "other")
    (folder / "linked").symlink_to(other)
    changes()
    (other / "owl/0.jpg").write_bytes(b"another")
    changes()
    get(tmp_path / "data", "mine", **options, template=TEMPLATE)
    changes(False)
    data(["refresh", "mine", "--data-root", str(tmp_path / "data")])
    changes()
    get(tmp_path / "data", "mine", **options, template=TEMPLATE)
    folder.rename(tmp_path / "not mounted")
    changes(False)


def test_refreshing_a_data_set_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"nothing: there is no such data set yet"):
        data(["refresh", "nothing", "--data-root", str(tmp_path)])
    with pytest.raises(InputError, match="name the data sets"):
        data(["refresh", "--data-root", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []
