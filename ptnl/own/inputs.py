"""Reading the user's images and labels from a folder and a table; both stay unchanged."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ptnl.data.image_files import has_image_ending
from ptnl.errors import InputError, closed_folder
from ptnl.own.names import Classes, checked_names, read_table

UNLABELLED = -1
FROM_FOLDERS = "folders"  # the value of `--labels` if images are in one folder per class


def list_images(folder: Path) -> list[str]:
    """Images in a folder and its subfolders, as sorted paths below it, without hidden ones."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    images = []
    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = (name for name in folders if not name.startswith("."))
        inside = Path(place).relative_to(folder)
        images += [
            (inside / name).as_posix()
            for name in files
            if has_image_ending(name) and not name.startswith(".")
        ]
    if not images:
        raise InputError(f"{folder}: holds no images")
    return sorted(images)


def _refuse(error: OSError) -> None:
    """What `os.walk` does about a folder that it cannot read: its images would be left out."""
    if isinstance(error, PermissionError):
        raise closed_folder(error.filename) from error
    raise InputError(f"{error.filename}: not readable as a folder ({error.strerror})") from error


def read_labels(source: str, folder: Path, images: Sequence[str]) -> dict[str, str]:
    """Image -> class name, from a table, or from the images' folders if `source` says so.

    The table has the columns image and class_name or, without the latter, label; images with an
    empty label have none. Raises `InputError` if the table names an image that is not in the
    folder, or one twice.
    """
    if source == FROM_FOLDERS:
        loose = [image for image in images if "/" not in image]
        if loose:
            raise InputError(f"{folder / loose[0]}: lies in no class folder")
        return {image: image.split("/")[0] for image in images}
    path = Path(source)
    table = read_table(path)
    column = next((name for name in ("class_name", "label") if name in table), None)
    if "image" not in table or column is None:
        raise InputError(f"{path}: needs the columns image and class_name or label")
    missing = table.image[~table.image.isin(set(images))]
    if len(missing):
        raise InputError(
            f"{path}: row {missing.index[0] + 2} names {missing.iloc[0]!r}, which is not below "
            f"{folder} ({len(missing)} of {len(table)} rows name such images)"
        )
    repeated = table.image.duplicated()
    if repeated.any():
        row = int(repeated.argmax())
        raise InputError(f"{path}: row {row + 2} names {table.image[row]!r} a second time")
    labels = {
        image: label.strip()
        for image, label in zip(table.image, table[column], strict=True)
        if label.strip()
    }
    if not labels:
        raise InputError(f"{path}: holds no label")
    return labels


def classes_of(labels: dict[str, str], source: str) -> Classes:
    """The classes that labels name, in alphabetical order."""
    return Classes.of(checked_names(sorted(set(labels.values())), source))


def label_numbers(
    labels: dict[str, str], images: Sequence[str], classes: Classes, source: str
) -> np.ndarray:
    """Labels (N) as positions among the classes; `UNLABELLED` for images without a label."""
    position = {name: number for number, name in enumerate(classes.names)}
    unknown = [(image, label) for image, label in labels.items() if label not in position]
    if unknown:
        image, label = unknown[0]
        raise InputError(f"{source}: {image!r} is labelled {label!r}, which is none of the classes")
    return np.array([position[labels[i]] if i in labels else UNLABELLED for i in images])
