"""Reading and writing artefacts: whole or not at all, with declared schemas."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ptnl.errors import InputError
from ptnl.schemas import Schema


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error.

    A reader sees the old file or the new one, never a part: the rename is atomic and happens after
    the data reached the disk.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(data: bytes, path: Path) -> None:
    """Write `data` to `path`, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(text: str, path: Path) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    write_bytes(text.encode(), path)


def write_json(value: Any, path: Path) -> None:
    """Write `value` as JSON that diffs well, whole or not at all."""
    write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", path)


def read_json(path: Path) -> Any:
    """Read a JSON file; an unreadable one is an `InputError` that names it."""
    try:
        return json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as JSON ({error})") from error


def arrow_schema(schema: Schema) -> pa.Schema:
    """The Arrow schema of a declared one."""
    return pa.schema([(name, pa.type_for_alias(alias)) for name, alias in schema.items()])


def write_parquet(
    frame: pd.DataFrame, path: Path, schema: Schema, metadata: Mapping[str, Any] | None = None
) -> None:
    """Write `frame` with exactly the columns and types of `schema`.

    `metadata` (what made the file) travels in the Parquet footer, as JSON under the key `ptnl`.
    A missing or additional column, a null or a value that does not fit its type is a `ValueError`:
    a contract broken by us, not by the user.
    """
    if list(frame.columns) != list(schema):
        raise ValueError(f"{path}: columns {list(frame.columns)} instead of {list(schema)}")
    nulls = [name for name in schema if frame[name].isna().any() and schema[name] != "double"]
    if nulls:
        raise ValueError(f"{path}: empty values in {nulls}")
    table = pa.Table.from_pandas(frame, schema=arrow_schema(schema), preserve_index=False)
    table = table.replace_schema_metadata({"ptnl": json.dumps(metadata or {}, sort_keys=True)})
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_parquet(path: Path, schema: Schema) -> pd.DataFrame:
    """Read a Parquet file and check that it has the columns of `schema`."""
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path}: not readable as Parquet ({error})") from error
    missing = [name for name in schema if name not in table.column_names]
    if missing:
        raise InputError(f"{path}: misses the columns {', '.join(missing)}")
    return table.select(list(schema)).to_pandas()


def read_metadata(path: Path) -> dict:
    """What made a Parquet file: the metadata given to `write_parquet`."""
    return json.loads((pq.read_schema(path).metadata or {}).get(b"ptnl", b"{}"))
