"""Equal images: find them by their bytes, report them, and keep them in one random split."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from ptnl.data.notes import note
from ptnl.data.splits import SPLITS, half_fifth_rest
from ptnl.errors import InputError


def equal_groups(folder: Path, images: Iterable[str]) -> list[list[str]]:
    """Groups of images below `folder` whose files are equal byte by byte, in their order.

    Only files of equal size are read. Unreadable files are left to the code that decodes images.
    """
    by_size: dict[int, list[str]] = {}
    for image in images:
        try:
            by_size.setdefault((folder / image).stat().st_size, []).append(image)
        except (OSError, ValueError):
            continue
    by_content: dict[bytes, list[str]] = {}
    for alike in by_size.values():
        for image in alike if len(alike) > 1 else ():
            try:
                with (folder / image).open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").digest()
            except OSError:
                continue
            by_content.setdefault(digest, []).append(image)
    return [group for group in by_content.values() if len(group) > 1]


def report_equal(manifest: pd.DataFrame, groups: Sequence[Sequence[str]]) -> None:
    """Print a note, with both paths, on equal images in different classes or splits."""
    rows = manifest.set_index("image")[["class_name", "split"]]
    for first, *others in groups:
        class_name, split = rows.loc[first]
        for other in others:
            its_class, its_split = rows.loc[other]
            if its_class != class_name:
                note(
                    f"{first} and {other} are equal, but in two classes: {class_name!r} and "
                    f"{its_class!r}"
                )
            if its_split != split:
                note(f"{first} and {other} are equal, but in two splits: {split} and {its_split}")


def split_at_random(
    classes: Sequence[tuple[int, str, list[str]]], groups: Sequence[Sequence[str]]
) -> pd.DataFrame:
    """The manifest of `half_fifth_rest`, in which equal images share a split.

    The first image of a group is split like any other. Its copies join its split, after the other
    images of their class.

    Parameters
    ----------
    classes : label, class name and images of each class
    groups : images that are equal (see `equal_groups`)
    """
    first_of = {copy: group[0] for group in groups for copy in group[1:]}
    originals = [
        (label, name, [image for image in images if image not in first_of])
        for label, name, images in classes
    ]
    for (_, name, images), (_, _, kept) in zip(classes, originals, strict=True):
        if images and not kept:
            raise InputError(
                f"class {name!r}: each of its images is equal to one of another class, as "
                f"{images[0]} is to {first_of[images[0]]}"
            )
    manifest = half_fifth_rest(originals)
    split_of = manifest.set_index("image").split
    copies = [
        (image, label, name, split_of[first_of[image]])
        for label, name, images in classes
        for image in images
        if image in first_of
    ]
    whole = pd.concat([manifest, pd.DataFrame(copies, columns=manifest.columns)])
    order = {label: position for position, (label, _, _) in enumerate(classes)}
    places = pd.DataFrame(
        {"split": whole.split.map(SPLITS.index), "label": whole.label.map(order)}
    ).reset_index(drop=True)
    by_place = places.sort_values(["split", "label"], kind="stable").index
    return whole.iloc[by_place].reset_index(drop=True)
