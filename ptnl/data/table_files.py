"""Read users' tables: CSV or Parquet, as pandas, Excel, Spark and Hugging Face write them."""

import csv
import gzip
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ptnl.errors import InputError

SEPARATORS = (",", ";", "\t", "|")
PARQUET, GZIP, ZIP = b"PAR1", b"\x1f\x8b", b"PK\x03\x04"  # first bytes of such files
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}

Wanted = Mapping[str, Sequence[str]]  # column -> possible headers, in lower case


@dataclass(frozen=True)
class Table:
    """The columns of a table, by the names under which they were asked for."""

    path: Path
    rows: list[int]  # number of each row, from 1 for the first below the header
    columns: Mapping[str, list[Any]]
    # Column of numbers -> names of its classes.
    class_names: Mapping[str, list[str]] = field(default_factory=dict)
    packed: Mapping[str, list[tuple[Path, str]]] = field(default_factory=dict)  # see `cells`

    def __contains__(self, column: str) -> bool:
        return column in self.columns or column in self.packed

    def text(self, column: str) -> list[str]:
        """The cells of a column as text without blanks around it; empty cells are refused by row.

        Whole numbers have no fraction. If the file gives names for the numbers of a column, the
        text is the name.
        """
        names = self.class_names.get(column)
        return [
            self.filled(row, column, names[value] if names else as_text(value))
            for row, value in self._checked(column, names)
        ]

    def cells(self, column: str) -> Iterator[tuple[int, Any]]:
        """(row, cell) of a column of bytes or structs, with only a few rows in memory at a time."""
        rows = iter(self.rows)
        for path, header in self.packed[column]:
            try:
                for batch in pq.ParquetFile(path).iter_batches(256, columns=[header]):
                    yield from zip(rows, batch.column(0).to_pylist(), strict=False)
            except (pa.ArrowException, OSError) as error:
                raise InputError(f"{path}: not readable as Parquet ({error})") from error

    def filled(self, row: int, column: str, text: str) -> str:
        """The text of a cell; an empty cell is refused."""
        if not text:
            raise InputError(f"{self.path}: row {row} has an empty cell in {column}")
        return text

    def _checked(self, column: str, names: list[str] | None) -> Iterator[tuple[int, Any]]:
        packed = column in self.packed
        for row, value in self.cells(column) if packed else self._cells(column):
            if isinstance(value, bytes):
                value = self._decoded(row, column, value)
            if names and not (isinstance(value, int) and 0 <= value < len(names)):
                raise InputError(
                    f"{self.path}: row {row}: {column} {value!r} is none of the {len(names)} "
                    "classes that the file names"
                )
            if isinstance(value, dict | list):
                raise InputError(f"{self.path}: row {row}: {column} is neither text nor a number")
            yield row, value

    def _cells(self, column: str) -> Iterator[tuple[int, Any]]:
        return zip(self.rows, self.columns[column], strict=True)

    def _decoded(self, row: int, column: str, value: bytes) -> str:
        """The text of bytes, which Spark may write instead of text."""
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise InputError(f"{self.path}: row {row}: {column} is not UTF-8 text") from error


def as_text(value: Any) -> str:
    """A cell as text: empty for a missing value, without a fraction for a whole number."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def read_table(path: Path, wanted: Wanted) -> Table:
    """Read some columns of a table; an `InputError` names the file and what to do.

    A folder of parts, as Spark writes it, is one table. Columns that are not `wanted` are skipped.
    """
    parts = _parts(path) if path.is_dir() else [path]
    tables = [_read_part(part, wanted) for part in parts]
    first = tables[0]
    for part, table in zip(parts, tables, strict=True):
        kinds = [(t.columns.keys(), t.packed.keys(), t.class_names) for t in (table, first)]
        if kinds[0] != kinds[1]:
            raise InputError(f"{part}: has other columns than {parts[0]}")
    if len(tables) == 1:
        return first
    return Table(
        path,
        list(range(1, 1 + sum(len(table.rows) for table in tables))),
        {name: [cell for t in tables for cell in t.columns[name]] for name in first.columns},
        first.class_names,
        {name: [place for t in tables for place in t.packed[name]] for name in first.packed},
    )


def _parts(folder: Path) -> list[Path]:
    """The files of a table that is a folder, without markers such as _SUCCESS and .crc."""
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(name.startswith((".", "_")) for name in path.relative_to(folder).parts)
    ]
    if not files:
        raise InputError(f"{folder}: holds no parts of a table")
    return files


def _read_part(path: Path, wanted: Wanted) -> Table:
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start == PARQUET:
            return _read_parquet(path, wanted)
        if start == ZIP:
            raise InputError(
                f"{path}: is an Excel workbook or another zip; save it as CSV (UTF-8) instead"
            )
        content = path.read_bytes()
        if start.startswith(GZIP):
            content = gzip.decompress(content)
    except (OSError, EOFError) as error:
        raise InputError(f"{path}: not readable as CSV or Parquet ({error})") from error
    return _read_csv(path, content, wanted)


def _read_parquet(path: Path, wanted: Wanted) -> Table:
    try:
        file = pq.ParquetFile(path)
        schema = file.schema_arrow
        found = {name: schema.field(i) for name, i in _columns(path, schema.names, wanted).items()}
        packed = {name for name, column in found.items() if _is_packed(column.type)}
        whole = file.read(columns=[column.name for n, column in found.items() if n not in packed])
        rows = list(range(1, 1 + file.metadata.num_rows))
        columns = {n: whole[c.name].to_pylist() for n, c in found.items() if n not in packed}
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: not readable as Parquet ({error})") from error
    of_header = _class_labels(schema.metadata or {})
    class_names = {n: of_header[c.name] for n, c in found.items() if c.name in of_header}
    return Table(
        path, rows, columns, class_names, {n: [(path, found[n].name)] for n in sorted(packed)}
    )


def _is_packed(kind: pa.DataType) -> bool:
    return pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind)


def _class_labels(metadata: Mapping[bytes, bytes]) -> dict[str, list[str]]:
    """Column -> names of its classes, from the metadata that Hugging Face's `datasets` writes."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return {
            column: [str(name).strip() for name in feature["names"]]
            for column, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _read_csv(path: Path, content: bytes, wanted: Wanted) -> Table:
    text = _decoded(path, content)
    try:
        separator, text = _separator(text, wanted)
        header, *records = _records(text, separator) or [[]]
    except csv.Error as error:
        raise InputError(f"{path}: not readable as CSV ({error})") from error
    found = _columns(path, header, wanted)
    cells = {number: row for number, row in enumerate(records, start=1) if any(row)}
    shift = _row_names(header, list(cells.values()))
    for number, row in cells.items():
        if len(row) - shift < len(header) or any(row[shift + len(header) :]):
            raise InputError(
                f"{path}: row {number} has {len(row)} cells, but the header {len(header)}"
            )
    columns = {name: [row[shift + i] for row in cells.values()] for name, i in found.items()}
    return Table(path, list(cells), columns)


def _row_names(header: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """1 if every row begins with a row name that has no header, as R writes it; otherwise 0."""
    longer = rows and all(len(row) == len(header) + 1 for row in rows)
    return int(bool(longer) and any(row[-1] for row in rows))


def _decoded(path: Path, content: bytes) -> str:
    marks = [encoding for mark, encoding in BYTE_ORDER_MARKS.items() if content.startswith(mark)]
    try:
        text = content.decode(marks[0] if marks else "utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}: line {line} is not UTF-8; save it as UTF-8 (in Excel, 'CSV UTF-8')"
        ) from error
    if "\0" in text:
        raise InputError(f"{path}: holds NUL characters, so it is neither Parquet nor CSV in UTF-8")
    return text


def _separator(text: str, wanted: Wanted) -> tuple[str, str]:
    """The separator of a CSV, from Excel's line `sep=` or from the header; the rest of the text."""
    first, _, rest = text.partition("\n")
    if first.lower().startswith("sep=") and len(first.rstrip("\r")) == 5:
        return first[4], rest

    def known(separator: str) -> int:
        header = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), [])
        words = {cell.strip().lower() for cell in header}
        return sum(bool(words & set(of_column)) for of_column in wanted.values())

    return max(SEPARATORS, key=known), text


def _records(text: str, separator: str) -> list[list[str]]:
    """The rows of a CSV without empty lines, with cells without blanks around them."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True
    )
    rows = ([cell.strip() for cell in row] for row in reader)
    return [row for row in rows if row and row != [""]]


def _columns(path: Path, header: Sequence[str], wanted: Wanted) -> dict[str, int]:
    """Wanted column -> its position in the header, if it is there; refused if it is there twice."""
    found: dict[str, int] = {}
    for place, cell in enumerate(header):
        for name, words in wanted.items():
            if cell.strip().lower() in words:
                if name in found:
                    raise InputError(
                        f"{path}: the columns {header[found[name]]!r} and {cell!r} are both read "
                        f"as {name}"
                    )
                found[name] = place
    return found
