import pandas as pd
import pytest

from ptnl.errors import InputError
from ptnl.io import atomic_path, read_json, read_metadata, read_parquet, write_parquet

SCHEMA = {"name": "string", "count": "int64", "share": "double"}
FRAME = pd.DataFrame({"name": ["a", "b"], "count": [1, 2], "share": [0.5, float("nan")]})


def test_parquet_comes_back_with_what_made_it(tmp_path):
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
def test_a_broken_contract_writes_nothing(tmp_path, broken):
    with pytest.raises(Exception, match=r"."):
        write_parquet(broken, tmp_path / "table.parquet", SCHEMA)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_unreadable_files_are_named(tmp_path):
    bad = tmp_path / "bad"
    bad.write_text("no")
    with pytest.raises(InputError, match="bad: not readable as JSON"):
        read_json(bad)
    with pytest.raises(InputError, match="bad: not readable as Parquet"):
        read_parquet(bad, SCHEMA)
    with pytest.raises(InputError, match="absent: not readable as Parquet"):
        read_parquet(tmp_path / "absent", SCHEMA)
    write_parquet(FRAME, tmp_path / "ok.parquet", SCHEMA)
    with pytest.raises(InputError, match="misses the columns size"):
        read_parquet(tmp_path / "ok.parquet", {**SCHEMA, "size": "int64"})
