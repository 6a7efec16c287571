"""Choose held-out sets, the drawings of data sets, and their splits. Pure functions."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from PIL import Image

SPLITS = ("train", "val", "test")


def held_out_sets(
    corpus: pd.DataFrame, families: Sequence[str], most_names: int, themed: Sequence[str]
) -> set[str]:
    """The icon sets that pre-training never sees: general families with at most `most_names`."""
    category = corpus.groupby("icon_set").category.first()
    family = {member: line.split()[0] for line in families for member in line.split()}
    names = Counter()
    for icon_set, count in corpus.groupby("icon_set").name.nunique().items():
        names[family.get(icon_set, icon_set)] += count
    return {
        icon_set
        for icon_set in category.index
        if names[family.get(icon_set, icon_set)] <= most_names and category[icon_set] not in themed
    }


def on_white(image: Image.Image) -> Image.Image:
    """The drawing in black, or in its own colours, on white."""
    if image.mode == "L":  # opacity
        return Image.eval(image, lambda opacity: 255 - opacity)
    paper = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(paper, image).convert("RGB")


def place(picture: Image.Image, size: int, rank: str) -> Image.Image:
    """The picture scaled to `size` pixels, at a place in its frame that the hash `rank` decides."""
    frame = picture.width
    if size == frame:
        return picture
    left, top = (int(rank[part], 16) % (frame - size + 1) for part in (slice(8), slice(8, 16)))
    placed = Image.new(picture.mode, picture.size, "white")
    placed.paste(picture.resize((size, size), Image.Resampling.LANCZOS), (left, top))
    return placed


def ink_descriptor(image: Image.Image, size: int = 64) -> np.ndarray:
    """The ink of a picture on white, cropped and scaled to `size` x `size`, as a unit vector.

    It does not depend on where in the frame the drawing is. A copy at another scale may not be
    recognised, because strokes of a pixel or two change when they are scaled.
    """
    ink = Image.eval(image.convert("L"), lambda value: 255 - value)
    box = ink.getbbox()
    if box is None:
        return np.zeros(size * size, np.float32)
    scaled = ink.resize((size, size), Image.Resampling.BOX, box=box)
    vector = np.asarray(scaled, np.float32).ravel()
    return vector / np.linalg.norm(vector)


def without_near_duplicates(descriptors: np.ndarray, threshold: float) -> np.ndarray:
    """Indices of drawings to keep: in order, each must differ from all that were kept before."""
    kept: list[int] = []
    for i, descriptor in enumerate(descriptors):
        if not kept or (descriptors[kept] @ descriptor).max() <= threshold:
            kept.append(i)
    return np.array(kept, dtype=int)


def seen_before(descriptors: np.ndarray, seen: np.ndarray, threshold: float) -> np.ndarray:
    """Which drawings are near-duplicates of one of `seen`; rows are `ink_descriptor`s."""
    hit = np.zeros(len(descriptors), dtype=bool)
    for start in range(0, len(seen), 8192):
        hit |= (descriptors @ seen[start : start + 8192].T).max(axis=1) > threshold
    return hit


def stable_rank(text: str) -> str:
    """A hash of a text, to order rows at random in a way that no other row can change."""
    return hashlib.sha256(text.encode()).hexdigest()


def candidates(
    corpus: pd.DataFrame, classes: Mapping[str, Sequence[str]], held_out: set[str], per_set: int
) -> pd.DataFrame:
    """Drawings of the held-out sets that show a class, at most `per_set` per (set, class).

    They are in order of class and rank, which is a hash of the drawing's name.
    """
    class_of = {name: label for label, synonyms in classes.items() for name in [label, *synonyms]}
    rows = corpus[corpus.icon_set.isin(held_out) & corpus.name.isin(class_of)].copy()
    rows["class_name"] = rows.name.map(class_of)
    rows["rank"] = (rows.icon_set + "/" + rows.icon).map(stable_rank)
    rows = rows.sort_values(["class_name", "variant", "rank"])
    rows = rows.groupby(["class_name", "icon_set"]).head(per_set)
    return rows.sort_values(["class_name", "rank"], ignore_index=True)


def largest_classes(class_names: pd.Series, least: int, most: int) -> list[str]:
    """The `most` classes with the most rows, `least` or more; equals in alphabetical order."""
    counts = class_names.value_counts().rename_axis("name").reset_index(name="rows")
    ranked = counts[counts.rows >= least].sort_values(["rows", "name"], ascending=[False, True])
    return ranked.name[:most].tolist()


def assign_splits(count: int, shares: Mapping[str, float], minimum: Mapping[str, int]) -> list[str]:
    """Splits of `count` drawings in order of rank: the minimum, and shares of the others."""
    beyond = count - sum(minimum.values())
    if beyond < 0:
        raise ValueError(
            f"{count} drawings are fewer than the {sum(minimum.values())} that the splits need"
        )
    test = minimum["test"] + round(beyond * shares["test"])
    val = minimum["val"] + round(beyond * shares["val"])
    return ["train"] * (count - val - test) + ["val"] * val + ["test"] * test
