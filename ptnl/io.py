"""Reading and writing artefacts: whole or not at all, with declared schemas and a checksum inside.

Every Parquet, JSON, NPY and safetensors file that ptnl writes holds a seal: the sha256 of all its
other bytes, in a place where the format allows a text. Whoever reads the file with another tool
does not notice; whoever reads it here learns of every changed bit. The seal is also ptnl's mark: an
output that is there already is replaced only if it has one.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ptnl.errors import InputError
from ptnl.schemas import Schema, fault_in
from ptnl.temporary import temporary_beside

if TYPE_CHECKING:
    from torch import Tensor

SEAL_KEY = "ptnl_seal"
UNSEALED = "ptnl-sha256:" + 64 * "0"
_SEAL = re.compile(rb"ptnl-sha256:([0-9a-f]{64})")
_ENDS = 1 << 20  # bytes at either end of a file among which its seal is
_CHUNK = 1 << 22  # bytes hashed at a time


@contextmanager
def atomic_path(path: Path, replaces: bool = False) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends without an error.

    A reader sees the old file or the new one, never a part: the rename is atomic and happens after
    the data reached the disk. What cannot be written is an `InputError` that names `path`. The
    temporary file of a process that was killed goes when `path` is written again.

    replaces : whether `path` is ptnl's own by its name, and may be replaced whatever it holds
    """
    path = Path(path)
    if not replaces:
        require_own(path)
    with naming(path), temporary_beside(path) as temporary:
        yield temporary


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Errors of writing `path` as an `InputError` that names it, whichever library raised them."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error})") from error


def require_own(path: Path) -> None:
    """Raise an `InputError` where something is at `path` that has no seal of ptnl's.

    Snakemake removes the outputs of a job before it runs; so this is for commands called by hand.
    """
    if os.path.lexists(path) and (path.is_symlink() or not path.is_file() or not seal_of(path)):
        raise InputError(
            f"{path}: is there already, and nothing in it says that ptnl wrote it; move it "
            "elsewhere, or delete it"
        )


def seal_of(path: Path) -> str:
    """The sha256 in a file's seal, not compared with anything; empty where it has none."""
    found = _find_seal(path)
    return found[1] if found else ""


def set_seal(path: Path) -> None:
    """Replace the text `UNSEALED` that a file holds by its seal."""
    found = _find_seal(path)
    if found is None:
        raise ValueError(f"{path}: has no place for a seal")
    with path.open("r+b") as file:
        file.seek(found[0])
        file.write(_digest(path, found[0]).encode())


def check_seal(path: Path, required: bool = False) -> None:
    """Raise an `InputError` where a file is not as ptnl wrote it.

    required : whether a file without a seal is refused too; where its format alone would show that
        its end is missing, it need not be
    """
    found = _find_seal(path)
    if found is None and not required:
        return
    if found is None or _digest(path, found[0]) != found[1]:
        raise damaged(path, "its checksum is not the one that it was written with")


def damaged(path: Path, reason: str) -> InputError:
    """The error for an artefact that cannot be used, which says how to get it again."""
    return InputError(f"{path}: damaged, {reason}; delete it, and snakemake makes it again")


def _find_seal(path: Path) -> tuple[int, str] | None:
    """Where the digits of a file's seal begin, and the digits."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = max(0, size - _ENDS)
        file.seek(start)
        tail = list(_SEAL.finditer(file.read()))
        if tail:
            return start + tail[-1].start(1), tail[-1][1].decode()
        file.seek(0)
        head = _SEAL.search(file.read(_ENDS))
    return (head.start(1), head[1].decode()) if head else None


def _digest(path: Path, digits: int) -> str:
    """The sha256 of a file as it was before its seal was set at `digits`."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        position = 0
        while position < digits:
            chunk = file.read(min(_CHUNK, digits - position))
            digest.update(chunk)
            position += len(chunk)
        file.read(64)
        digest.update(b"0" * 64)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def write_bytes(data: bytes, path: Path, replaces: bool = False) -> None:
    """Write `data` to `path`, whole or not at all."""
    with atomic_path(path, replaces) as temporary:
        temporary.write_bytes(data)


def write_scratch(data: bytes, path: Path) -> None:
    """Write `data` to a path in a scratch folder, which is put in place once all of it is there."""
    with naming(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def write_text(text: str, path: Path, replaces: bool = False) -> None:
    """Write `text` to `path` as UTF-8, whole or not at all."""
    write_bytes(text.encode(), path, replaces)


def write_json(value: Mapping[str, Any], path: Path, replaces: bool = False) -> None:
    """Write an object as JSON that diffs well, sealed, whole or not at all."""
    sealed = {**value, SEAL_KEY: UNSEALED}
    text = json.dumps(sealed, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    with atomic_path(path, replaces) as temporary:
        temporary.write_text(text, encoding="utf-8")
        set_seal(temporary)


def read_json(path: Path, sealed: bool = False) -> Any:
    """Read a JSON file, without its seal; an unreadable or damaged one is an `InputError`.

    sealed : whether it is one that only ptnl writes, which is refused without a seal
    """
    path = Path(path)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        check_seal(path, required=sealed)
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: not readable as JSON ({error})") from error
    if isinstance(value, dict):
        value.pop(SEAL_KEY, None)
    return value


def arrow_schema(schema: Schema) -> pa.Schema:
    """The Arrow schema of a declared one."""
    return pa.schema([(name, pa.type_for_alias(alias)) for name, alias in schema.items()])


def write_parquet(
    frame: pd.DataFrame, path: Path, schema: Schema, metadata: Mapping[str, Any] | None = None
) -> None:
    """Write `frame` with exactly the columns and types of `schema`, each page with a checksum.

    `metadata` (what made the file) travels in the Parquet footer, as JSON under the key `ptnl`.
    A missing or additional column, a null or a value that does not fit its type or its column is a
    `ValueError`: a contract broken by us, not by the user.
    """
    if list(frame.columns) != list(schema):
        raise ValueError(f"{path}: columns {list(frame.columns)} instead of {list(schema)}")
    nulls = [name for name in schema if frame[name].isna().any() and schema[name] != "double"]
    if nulls:
        raise ValueError(f"{path}: empty values in {nulls}")
    table = pa.Table.from_pandas(frame, schema=arrow_schema(schema), preserve_index=False)
    if fault := fault_in(table.to_pandas(), schema):
        raise ValueError(f"{path}: {fault}")
    made = json.dumps(metadata or {}, sort_keys=True)
    with atomic_path(path) as temporary:
        pq.write_table(
            table.replace_schema_metadata({"ptnl": made, SEAL_KEY: UNSEALED}),
            temporary,
            compression="zstd",
            write_page_checksum=True,
        )
        set_seal(temporary)


def read_parquet(path: Path, schema: Schema) -> pd.DataFrame:
    """Read a Parquet file with the columns of `schema`.

    A damaged one is an `InputError`, and so is one whose columns are of other types or hold values
    that they cannot have.
    """
    path = Path(path)
    try:
        check_seal(path)
        table = pq.read_table(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: not readable as Parquet ({error})") from error
    missing = [name for name in schema if name not in table.column_names]
    if missing:
        raise InputError(f"{path}: misses the columns {', '.join(missing)}")
    table = table.select(list(schema))
    for name, declared in zip(schema, arrow_schema(schema), strict=True):
        if table.schema.field(name).type != declared.type:
            found = table.schema.field(name).type
            raise InputError(f"{path}: its column {name} is {found} instead of {declared.type}")
    frame = table.to_pandas()
    nulls = [name for name in schema if table[name].null_count and schema[name] != "double"]
    fault = f"empty values in {nulls[0]}" if nulls else fault_in(frame, schema)
    if fault:
        raise damaged(path, fault)
    return frame


def read_metadata(path: Path) -> dict[str, Any]:
    """What made a Parquet file: the metadata given to `write_parquet`."""
    try:
        check_seal(path)
        made: dict[str, Any] = json.loads((pq.read_schema(path).metadata or {}).get(b"ptnl", b"{}"))
    except (OSError, ValueError, pa.ArrowException) as error:
        raise InputError(f"{path}: not readable as Parquet ({error})") from error
    return made


def end_array(path: Path, **about: Any) -> None:
    """Add to a finished NPY file what it is about (JSON), and its seal, behind its numbers.

    NumPy reads the numbers that the file's head announces, and nothing behind them.
    """
    with path.open("ab") as file:
        file.write(b"\n" + json.dumps({**about, SEAL_KEY: UNSEALED}, sort_keys=True).encode())
    set_seal(path)


def write_array(array: np.ndarray, path: Path, **about: Any) -> None:
    """Write an array as NPY, sealed, whole or not at all; see `end_array`."""
    with atomic_path(path) as temporary:
        with temporary.open("wb") as file:
            np.save(file, array)
        end_array(temporary, **about)


def read_array(path: Path, ndim: int, mapped: bool = False) -> np.ndarray:
    """Read a float16 array of so many dimensions that `write_array` or `end_array` has sealed.

    mapped : whether it stays on the disk, but for what is used of it
    """
    path = Path(path)
    try:
        check_seal(path, required=True)
        array: np.ndarray = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: not readable as an array ({error})") from error
    if array.dtype != np.float16 or array.ndim != ndim:
        raise InputError(f"{path}: {array.dtype} of {array.ndim} dimensions, not float16 of {ndim}")
    return array


def array_about(path: Path) -> dict[str, Any]:
    """What an array is about, as it was said when it was written."""
    with Path(path).open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _ENDS))
        _, _, last = file.read().rpartition(b"\n")
    about: dict[str, Any] = json.loads(last)
    about.pop(SEAL_KEY)
    return about


def write_tensors(tensors: Mapping[str, "Tensor"], path: Path) -> None:
    """Write tensors as safetensors, sealed, whole or not at all."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    # Each in memory of its own: some formats let tensors share it, this one does not.
    whole = {name: tensor.cpu().clone().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        try:
            save_file(whole, temporary, {SEAL_KEY: UNSEALED})
        except SafetensorError as error:
            raise InputError(f"{path}: cannot be written ({error})") from error
        set_seal(temporary)
