"""Makes a folder of images as a user has it, from the shipped icons."""

from pathlib import Path

import numpy as np
import pandas as pd

from ptnl.backbones.assets import FOLDER

TEMPLATE = "an icon of a {}."


def icons(folder: Path, classes: int = 6, per_class: int = 12) -> pd.DataFrame:
    """Write `images/`, `classes.txt` and `labels.csv` into a folder; returns the labels."""
    table = pd.read_parquet(FOLDER / "icons.parquet")
    table = table[(table.split == "train") & (table.label < classes)]
    table = table.groupby("label").head(per_class)
    for image, png in zip(table.image, table.png, strict=True):
        path = folder / "images" / f"{image}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png)
    names = sorted(table.class_name.unique())
    (folder / "classes.txt").write_text("\n".join(names) + "\n")
    labels = pd.DataFrame({"image": table.image + ".png", "label": table.class_name})
    labels.to_csv(folder / "labels.csv", index=False)
    return labels.reset_index(drop=True)


def with_wrong_labels(labels: pd.DataFrame, count: int, seed: int = 0) -> tuple[pd.DataFrame, set]:
    """Give `count` random images a wrong label; returns all labels, and which images these are."""
    stream = np.random.default_rng(seed)
    wrong = stream.choice(len(labels), count, replace=False)
    names = sorted(labels.label.unique())
    noisy = labels.copy()
    for row in wrong:
        others = [name for name in names if name != labels.label[row]]
        noisy.loc[row, "label"] = others[stream.integers(len(others))]
    return noisy, set(labels.image[wrong])
