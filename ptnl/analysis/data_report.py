"""What the data sets of a study hold, and which of their images could not be read. Pure."""

from collections.abc import Mapping

import pandas as pd

from ptnl.analysis.text_tables import markdown_table
from ptnl.data import title_of
from ptnl.schemas import rows_of

SPLITS = ("train", "val", "test")


def sizes(manifest: pd.DataFrame) -> dict[str, int]:
    """Classes, and images of each split, of a manifest (see `ptnl.schemas.MANIFEST`)."""
    counts = manifest.split.value_counts()
    images = {split: int(counts.get(split, 0)) for split in SPLITS}
    return {"classes": int(manifest.label.nunique()), **images}


def data_table(
    manifests: Mapping[str, pd.DataFrame], skipped: Mapping[str, list[str]]
) -> pd.DataFrame:
    """One row per data set: dataset, classes, train, val, test, skipped.

    Parameters
    ----------
    manifests : data set -> its manifest
    skipped : data set -> images that could not be read and that the manifest goes without
    """
    return pd.DataFrame(
        [
            {"dataset": name, **sizes(manifest), "skipped": len(skipped[name])}
            for name, manifest in manifests.items()
        ]
    )


def markdown(table: pd.DataFrame, skipped: Mapping[str, list[str]], study: str) -> str:
    """The rows of `data_table` and the names of skipped images, as GitHub's Markdown."""
    parts = [
        "**Data sets.** Classes, images of each split, and unreadable images that were skipped, "
        f"study {study!r}.",
        markdown_table(
            ["Data set", "Classes", "Train", "Val", "Test", "Skipped"],
            [
                (title_of(row.dataset), row.classes, row.train, row.val, row.test, row.skipped)
                for row in rows_of(table)
            ],
            "lrrrrr",
        ),
    ]
    for name, images in skipped.items():
        if images:
            listed = ", ".join(f"`{image}`" for image in images)
            parts.append(
                f"Skipped of {title_of(name)}: {listed}. Its few-shot draws are not those of "
                "the whole data set."
            )
    return "\n\n".join(parts) + "\n"
