"""A user's table of images with their classes and, if it says so, their splits."""

import hashlib
import io
import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, cast

import pandas as pd
from PIL import Image

from ptnl.data.archives import Archives
from ptnl.data.class_names import is_number, ordered
from ptnl.data.equal_images import equal_groups, report_equal, split_at_random
from ptnl.data.image_files import SIGNED
from ptnl.data.splits import SPLIT_WORDS, SPLITS
from ptnl.data.table_files import Table, read_table
from ptnl.errors import InputError
from ptnl.io import write_scratch
from ptnl.schemas import MANIFEST

COLUMNS = {
    "image": ("image", "file_name"),  # the second as in Hugging Face's folders
    "label": ("label",),
    "class_name": ("class_name",),
    "split": ("split",),
}


def download(
    dataset: str, images: Path, options: Mapping[str, Any], archives: Archives
) -> dict[str, Any]:
    """Unpack the images, if the table holds them (see `ptnl.data.class_folders`)."""
    table = read_own_table(Path(options["manifest"]))
    if "image" not in table.packed:
        raise InputError(
            f"config: dataset_options.{dataset}.images: missing; give the folder that "
            f"contains the images of {table.path}"
        )
    for name, content in _packed_images(table):
        write_scratch(content, images / name)
    return {"images": len(table.rows)}


def index(dataset: str, images: Path, options: Mapping[str, Any]) -> pd.DataFrame:
    """The manifest from a table with the columns image, label or class_name, and perhaps split.

    If there is only one of label and class_name, labels follow the order of the names, by value if
    all are numbers. Without the column split, every class is split at random: 50 % train, 20 % val,
    30 % test; equal images stay together.
    """
    table = read_own_table(Path(options["manifest"]))
    if "image" in table.packed and "images" in options:
        raise InputError(
            f"{table.path}: holds the images themselves; leave out dataset_options.{dataset}.images"
        )
    names = _image_names(table, images)
    label, class_name = _classes(table)
    manifest = pd.DataFrame({"image": names, "label": label, "class_name": class_name})
    groups = equal_groups(images, names)
    if "split" in table:
        manifest["split"] = _splits(table)
        order = manifest.split.map(SPLITS.index).sort_values(kind="stable").index
        manifest = manifest.loc[order, list(MANIFEST)].reset_index(drop=True)
    else:
        classes = [
            (cast("int", label), cast("str", name), rows.image.tolist())
            for (label, name), rows in manifest.groupby(["label", "class_name"])
        ]
        manifest = split_at_random(classes, groups)
    report_equal(manifest, groups)
    return manifest


def read_own_table(path: Path) -> Table:
    """The columns that ptnl uses of a table of images; `InputError` if one is missing."""
    table = read_table(path, COLUMNS)
    if "image" not in table or not ("label" in table or "class_name" in table):
        raise InputError(f"{path}: needs the columns image and label or class_name, perhaps split")
    if not table.rows:
        raise InputError(f"{path}: has no rows")
    return table


def _packed_images(table: Table) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of every image in a table that holds them, in the order of rows.

    The name is made from row and content, so it changes when the image does.
    """
    for row, cell in table.cells("image"):
        content = cell.get("bytes") if isinstance(cell, dict) else cell
        ending = _ending(content) if isinstance(content, bytes) else ""
        if not isinstance(content, bytes) or not ending:
            raise InputError(
                f"{table.path}: row {row}: image is neither a path nor the bytes of an image"
            )
        digest = hashlib.sha256(content).hexdigest()[:12]
        yield f"{row:07d}-{digest}{ending}", content


def _ending(content: bytes) -> str:
    """The ending for the name of an image file, by its format; empty if it is no image."""
    try:
        with Image.open(io.BytesIO(content), formats=SIGNED) as image:
            return f".{image.format.lower()}" if image.format else ""
    except Exception:  # Pillow may raise any exception on bytes that are no image
        return ""


def _image_names(table: Table, images: Path) -> list[str]:
    """The paths below `images`; no path may be there twice."""
    if "image" in table.packed:
        return [name for name, _ in _packed_images(table)]
    row_of: dict[str, int] = {}
    for row, cell in zip(table.rows, table.text("image"), strict=True):
        name = _below(table.path, row, cell, images)
        if name in row_of:
            raise InputError(
                f"{table.path}: rows {row_of[name]} and {row} are the same image, {name}"
            )
        row_of[name] = row
    return list(row_of)


def _below(path: Path, row: int, cell: str, images: Path) -> str:
    """A cell as a plain path below the folder of images, with `/` and without `.` and `..`."""
    if cell.startswith(("{'bytes'", '{"bytes"', "b'", 'b"')):
        raise InputError(
            f"{path}: row {row}: image holds an image's bytes as text; write a Parquet file instead"
        )
    if "://" in cell:
        raise InputError(
            f"{path}: row {row}: {cell} is a URL; download the image, and give its path"
        )
    if "\\" in cell and not (images / cell).exists():
        cell = cell.replace("\\", "/")  # as Windows writes paths
    if PurePosixPath(cell).is_absolute():
        for root in (images.absolute(), images.resolve()):
            if PurePosixPath(cell).is_relative_to(root.as_posix()):
                cell = PurePosixPath(cell).relative_to(root.as_posix()).as_posix()
                break
    name = posixpath.normpath(cell)
    if name.startswith(("/", "../")) or name in ("..", "."):
        raise InputError(f"{path}: row {row}: {cell} lies outside the folder {images.resolve()}")
    return name


def _splits(table: Table) -> list[str]:
    splits = table.text("split")
    for row, split in zip(table.rows, splits, strict=True):
        if split.lower() not in SPLIT_WORDS:
            raise InputError(
                f"{table.path}: row {row}: split is {split!r}, not one of {', '.join(SPLITS)}"
            )
    return [SPLIT_WORDS[split.lower()] for split in splits]


def _classes(table: Table) -> tuple[list[int], list[str]]:
    """The labels and the class names of all rows."""
    if "class_name" in table and "label" in table:
        names, labels = table.text("class_name"), [*map(_whole, table.text("label"))]
        label_of: dict[str, str] = {}
        for row, name, label in zip(table.rows, names, labels, strict=True):
            if not is_number(label):
                raise InputError(
                    f"{table.path}: row {row}: label {label!r} is no number; beside a class "
                    "name, labels are numbers from 0"
                )
            if label_of.setdefault(name, label) != label:
                raise InputError(
                    f"{table.path}: row {row}: class {name!r} has several labels, "
                    f"{label_of[name]} and {label}"
                )
        return [int(label) for label in labels], names
    column = "class_name" if "class_name" in table else "label"
    names = [*map(_whole, table.text(column))] if column == "label" else table.text(column)
    number_of = {name: label for label, name in enumerate(ordered(names))}
    return [number_of[name] for name in names], names


def _whole(label: str) -> str:
    """`3` for `3.0`, because pandas writes whole numbers so in a column that once had gaps."""
    return label.removesuffix(".0") if is_number(label.removesuffix(".0")) else label
