"""Data sets through the real workflow: the paper's from a server, and the user's own."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest
import yaml

from ptnl.io import read_json
from ptnl.study.layouts import EIGHT
from tests.archives import Small, build, picture
from tests.workflow.conftest import Study

TEMPLATE = "a photo of a {}."


@pytest.fixture
def served(tmp_path) -> tuple[Path, str]:
    """A folder, and the URL at which a server offers its files."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_papers_data_sets_fill_its_tables(tmp_path):
    planned = Study.create(tmp_path, base=None, datasets=list(EIGHT)).planned()
    assert (planned["download_dataset"], planned["index_dataset"]) == (8, 8)
    assert (planned["make_table"], planned["plot_figure"]) == (9, 7)
    assert planned["sample_shots"] == 8 * 4


def test_archives_on_a_server_become_a_draw(tmp_path, served):
    folder, url = served
    overlay = yaml.safe_load(build(folder, Small(classes=3), url).read_text())
    del overlay["data_root"]
    study = Study.create(tmp_path, datasets=["ucf101", "imagenet"], **overlay)
    draws = [study.results / f"shots/{name}/seed-1.parquet" for name in ("ucf101", "imagenet")]
    said = study.snakemake(*map(str, draws))
    assert said.returncode == 0, said.stdout + said.stderr
    assert [len(pd.read_parquet(draw)) for draw in draws] == [3 * (16 + 4), 3 * 16]
    receipt = read_json(tmp_path / "data/ucf101/receipt.json")
    assert receipt["files"].keys() == {"UCF-101-midframes.zip", "split_zhou_UCF101.json"}
    assert receipt["splits"] == "coop"
    overlay["dataset_options"]["ucf101"]["splits"] = "native"
    study = Study.create(tmp_path, datasets=["ucf101", "imagenet"], **overlay)
    planned = study.planned(*map(str, draws))
    assert planned == {"download_dataset": 1, "index_dataset": 1, "sample_shots": 1}


def test_a_users_table_is_a_data_set_of_the_study(tmp_path):
    rows = []
    for label, name in enumerate(("red", "green")):
        for number in range(10):
            image = tmp_path / "pictures" / f"{name}-{number}.jpg"
            image.parent.mkdir(exist_ok=True)
            image.write_bytes(picture("own", label, number))
            rows.append((image.name, name, "test" if number < 3 else "train"))
    table = tmp_path / "table.csv"
    frame = pd.DataFrame(rows, columns=["image", "label", "split"])
    frame.to_csv(table, index=False)
    own = {"manifest": str(table), "images": str(tmp_path / "pictures"), "template": TEMPLATE}
    study = Study.create(
        tmp_path / "study", datasets=["my_colours"], dataset_options={"my_colours": own}
    )
    run = study.results / "runs/my_colours/mini-rn/zero_shot/none/fp-0/seed-0/metrics.json"
    said = study.snakemake(str(run))
    assert said.returncode == 0, said.stdout + said.stderr
    assert read_json(run)["dataset"] == "my_colours"
    assert "index_dataset" not in study.planned(str(run))
    frame.drop(index=0).to_csv(table, index=False)
    planned = study.planned(str(run))
    assert planned["index_dataset"] == 1
    assert "download_dataset" not in planned
