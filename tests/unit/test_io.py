"""Artefacts are written whole or not at all, carry what made them, and replace only ptnl's own."""

import json
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from ptnl.errors import InputError
from ptnl.features.resumable import write_features
from ptnl.io import (
    array_about,
    atomic_path,
    read_array,
    read_json,
    read_metadata,
    read_parquet,
    write_array,
    write_json,
    write_parquet,
    write_tensors,
    write_text,
)
from tests.snapshot import snapshot

SCHEMA = {"name": "string", "count": "int64", "share": "double"}
FRAME = pd.DataFrame({"name": ["a", "b"], "count": [1, 2], "share": [0.5, float("nan")]})


def test_a_parquet_file_is_read_back_with_its_metadata(tmp_path):
    path = tmp_path / "deep" / "table.parquet"
    write_parquet(FRAME, path, SCHEMA, {"commit": "abc"})
    pd.testing.assert_frame_equal(
        read_parquet(path, SCHEMA), FRAME, check_dtype=False, check_column_type=False
    )
    assert read_metadata(path) == {"commit": "abc"}


@pytest.mark.parametrize(
    "broken",
    [
        FRAME.drop(columns="share"),
        FRAME.assign(more=1),
        FRAME.assign(name=None),
        FRAME.assign(count=["one", "two"]),
    ],
)
def test_a_table_that_breaks_its_schema_is_not_written(tmp_path, broken):
    with pytest.raises(Exception, match=r"."):
        write_parquet(broken, tmp_path / "table.parquet", SCHEMA)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.json"
    write_json({"is": "old"}, path)
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert read_json(path) == {"is": "old"}
    assert list(tmp_path.iterdir()) == [path]


KILLED_WRITER = """
import os, pathlib, signal, sys
from ptnl.io import atomic_path
with atomic_path(pathlib.Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_write_removes_what_a_killed_writer_left(tmp_path):
    path, kept = tmp_path / "file[1].csv", tmp_path / ".file[1].csv.mine.csv"
    kept.write_text("a user's")
    result = subprocess.run([sys.executable, "-c", KILLED_WRITER, path], check=False)
    assert result.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    write_text("whole", path)
    assert set(tmp_path.iterdir()) == {path, kept}


def test_a_write_leaves_the_temporary_file_of_another_writer(tmp_path):
    path = tmp_path / "file.csv"
    with atomic_path(path) as temporary:
        temporary.write_text("slow")
        write_text("quick", path, replaces=True)
        assert temporary.read_text() == "slow"
    assert path.read_text() == "slow"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", ["file", "folder", "link", "dangling link"])
def test_a_file_that_ptnl_did_not_write_is_not_replaced(tmp_path, kind):
    """Neither is a link to a file that ptnl wrote."""
    path = tmp_path / "out.json"
    write_json({"is": "ours"}, tmp_path / "ours.json")
    if kind == "file":
        path.write_text('{"is": "mine"}')
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / ("ours.json" if kind == "link" else "nowhere"))
    before = snapshot(tmp_path)
    for write in (
        lambda: write_json({}, path),
        lambda: write_text("new", path),
        lambda: write_parquet(FRAME, path, SCHEMA),
        lambda: write_array(np.ones(2, np.float16), path),
        lambda: write_tensors({"w": torch.ones(2)}, path),
        lambda: write_features(path, (1, 2), "identity", lambda _: [], "image"),
    ):
        with pytest.raises(InputError, match=r"out\.json: is there already, and nothing in it"):
            write()
    assert snapshot(tmp_path) == before


def test_every_kind_of_artefact_may_be_replaced(tmp_path):
    for _ in range(2):
        write_json({}, tmp_path / "a.json")
        write_parquet(FRAME, tmp_path / "a.parquet", SCHEMA)
        write_array(np.ones(2, np.float16), tmp_path / "a.npy")
        write_tensors({"w": torch.ones(2)}, tmp_path / "a.safetensors")


def test_other_tools_read_files_that_carry_a_checksum(tmp_path):
    write_json({"ä": 1}, tmp_path / "a.json")
    assert json.loads((tmp_path / "a.json").read_text())["ä"] == 1
    write_parquet(FRAME, tmp_path / "a.parquet", SCHEMA)
    assert pd.read_parquet(tmp_path / "a.parquet").name.tolist() == ["a", "b"]
    numbers = np.arange(6, dtype=np.float16).reshape(3, 2)
    write_array(numbers, tmp_path / "a.npy", of="numbers")
    assert np.array_equal(np.load(tmp_path / "a.npy"), numbers)
    assert np.array_equal(np.load(tmp_path / "a.npy", mmap_mode="r"), numbers)
    assert array_about(tmp_path / "a.npy") == {"of": "numbers"}
    write_tensors({"w": torch.ones(2)}, tmp_path / "a.safetensors")
    assert load_file(tmp_path / "a.safetensors")["w"].tolist() == [1, 1]


def test_the_error_of_a_full_disk_names_the_path(small_disk):
    big = np.random.default_rng(0).random(1 << 20).astype(np.float16)
    names = [np.random.default_rng(n).bytes(32).hex() for n in range(60_000)]
    for write in (
        lambda path: write_text("x" * (2 << 20), path),
        lambda path: write_array(big, path),
        lambda path: write_tensors({"w": torch.from_numpy(big)}, path),
        lambda path: write_parquet(pd.DataFrame({"image": names}), path, {"image": "string"}),
        lambda path: write_features(path, (1000, 1000), "identity", lambda _: [], "image"),
    ):
        with pytest.raises(InputError, match=r"out.*(No space left|bytes more|requested and)"):
            write(small_disk / "out")
        assert [path.name for path in small_disk.iterdir() if path.is_file()] == []


def test_unreadable_files_are_named(tmp_path):
    bad = tmp_path / "bad"
    bad.write_text("no")
    with pytest.raises(InputError, match="bad: not readable as JSON"):
        read_json(bad)
    with pytest.raises(InputError, match="bad: not readable as Parquet"):
        read_parquet(bad, SCHEMA)
    with pytest.raises(InputError, match="bad: not readable as Parquet"):
        read_metadata(bad)
    with pytest.raises(InputError, match="bad: damaged, its checksum"):
        read_array(bad, 2)
    with pytest.raises(InputError, match="absent: not readable as an array"):
        read_array(tmp_path / "absent", 2)
    with pytest.raises(InputError, match="absent: not readable as Parquet"):
        read_parquet(tmp_path / "absent", SCHEMA)
    write_parquet(FRAME, tmp_path / "ok.parquet", SCHEMA)
    with pytest.raises(InputError, match="misses the columns size"):
        read_parquet(tmp_path / "ok.parquet", {**SCHEMA, "size": "int64"})
