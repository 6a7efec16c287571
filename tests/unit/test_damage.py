"""Damaged files are detected and named, whichever of their bits has changed."""

import json
import random
import shutil

import pytest

from ptnl.analysis.metrics import read_metrics
from ptnl.errors import InputError
from ptnl.io import read_json, read_parquet, write_json, write_parquet
from ptnl.schemas import MANIFEST, NOISY_SHOTS, RUNS, SUMMARY
from tests.damage import WAYS, artefacts, frame_of, outcome


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return artefacts(tmp_path_factory.mktemp("artefacts"))


@pytest.mark.parametrize("way", WAYS)
def test_damage_never_changes_what_is_read(made, way):
    stream = random.Random(1)
    found = [
        (a.path.name, outcome(a, way, stream)) for _ in range(20 // len(made) + 1) for a in made
    ]
    assert {
        (name, what) for name, what in found if what not in ("named", "without effect")
    } == set()
    assert sum(what == "named" for _, what in found) > 10


def test_a_file_of_another_kind_is_named(made):
    """Every artefact is read from each of the other files with the same suffix."""
    for artefact in made:
        content = artefact.path.read_bytes()
        for other in made:
            if other.path.suffix != artefact.path.suffix or other is artefact:
                continue
            if artefact.path.name in ("receipt.json", "logits.npy", "weights.safetensors"):
                continue  # their readers accept any content of the right format
            shutil.copyfile(other.path, artefact.path)
            with pytest.raises(InputError, match=artefact.path.name):
                artefact.read(artefact.path)
        artefact.path.write_bytes(content)


@pytest.mark.parametrize(
    ("schema", "column", "value", "fault"),
    [
        (MANIFEST, "label", -1, "label is -1 in row 3"),
        (MANIFEST, "split", "dev", "split is dev in row 3"),
        (MANIFEST, "image", "", "image is  in row 3"),
        (MANIFEST, "image", "image 1", "several rows are of image image 1"),
        (NOISY_SHOTS, "is_noisy", "other", "is_noisy is"),
        (RUNS, "accuracy", float("nan"), "accuracy is nan in row 3"),
        (RUNS, "accuracy", float("inf"), "accuracy is inf in row 3"),
        (RUNS, "accuracy", -3.0, "accuracy is -3.0 in row 3"),
        (RUNS, "shots", 0, "shots is 0 in row 3"),
        (SUMMARY, "mean", 101.0, "mean is 101.0 in row 3"),
        (SUMMARY, "sd", -0.5, "sd is -0.5 in row 3"),
    ],
)
def test_impossible_values_are_refused(tmp_path, monkeypatch, schema, column, value, fault):
    """Both when they are written and when they are read from another program's file."""
    frame = frame_of(schema)
    if value == "other":
        value = not frame.loc[2, column]
    frame.loc[2, column] = value
    with pytest.raises(ValueError, match=fault):
        write_parquet(frame, tmp_path / "a.parquet", schema)
    assert list(tmp_path.iterdir()) == []
    frame.to_parquet(tmp_path / "a.parquet", index=False)
    with pytest.raises(InputError, match=rf"a\.parquet: (damaged, {fault}|its column)"):
        read_parquet(tmp_path / "a.parquet", schema)


def test_impossible_metrics_are_refused(made, tmp_path):
    whole = next(a for a in made if a.path.name == "metrics.json").path
    path = tmp_path / "metrics.json"
    for change, fault in (
        ({"accuracy": float("nan")}, "accuracy is nan"),
        ({"accuracy": -3}, "accuracy is -3"),
        ({"accuracy": 1e9}, "accuracy is 1000000000.0"),
        ({"accuracy": "high"}, "accuracy is 'high'"),
        ({"seed": True}, "seed is True"),
        ({"shots": 1.5}, "shots is 1.5"),
    ):
        write_json(read_json(whole) | change, path)
        with pytest.raises(InputError, match=rf"metrics\.json: damaged, {fault}"):
            read_metrics([whole, path, whole])
    write_json({"accuracy": 5.0}, path)
    with pytest.raises(InputError, match=r"metrics\.json: damaged, it lacks dataset"):
        read_metrics([whole, path, whole])
    path.write_text(json.dumps(read_json(whole)))
    with pytest.raises(InputError, match=r"metrics\.json: damaged, its checksum"):
        read_metrics([whole, path, whole])
