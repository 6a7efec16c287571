"""Choose the drawings of one shipped data set, and write them with their splits.

The drawings come from held-out icon sets. Near-duplicates of drawings in pre-training or in the
data set are removed. The classes that then have the most drawings make the data set; the log names
the others.
"""

import argparse
import io
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from PIL import Image
from selection import (
    SPLITS,
    assign_splits,
    candidates,
    held_out_sets,
    ink_descriptor,
    largest_classes,
    on_white,
    place,
    seen_before,
    without_near_duplicates,
)
from tqdm import tqdm

from ptnl.data.embedded import IMAGES
from ptnl.io import write_parquet


def encode_png(image: Image.Image) -> bytes:
    """The picture as PNG bytes."""
    png = io.BytesIO()
    image.save(png, "PNG", optimize=True)
    return png.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="corpus.parquet")
    parser.add_argument(
        "--pairs", type=Path, required=True, help="pairs.parquet, the drawings of pre-training"
    )
    parser.add_argument("--config", type=Path, required=True, help="config.yaml of the build")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    config = yaml.safe_load(args.config.read_text())

    corpus = pd.read_parquet(args.corpus)
    held_out = held_out_sets(
        corpus,
        config["families"],
        config["held_out_names"],
        config["themed_categories"],
    )
    rows = candidates(
        corpus, config["datasets"][args.dataset], held_out, config["per_set"][args.dataset]
    )
    rows["picture"] = [on_white(Image.open(io.BytesIO(png))) for png in rows.png]
    descriptors = np.stack([ink_descriptor(picture) for picture in rows.picture])
    similarity = config["duplicate_similarity"]
    pngs = pd.read_parquet(args.pairs, columns=["png"]).png
    seen = np.stack(
        [ink_descriptor(on_white(Image.open(io.BytesIO(p)))) for p in tqdm(pngs, disable=None)]
    )
    fresh = ~seen_before(descriptors, seen, similarity)
    rows, descriptors = rows[fresh], descriptors[fresh]
    print(f"{(~fresh).sum()} near-duplicates of drawings in pre-training left out")
    rows = rows.iloc[without_near_duplicates(descriptors, similarity)]

    minimum = config["minimum"][args.dataset]
    largest = largest_classes(
        rows.class_name, sum(minimum.values()), config["classes"][args.dataset]
    )
    chosen = []
    for class_name, group in rows.groupby("class_name"):
        print(f"{class_name}: {len(group)} drawings, {'in' if class_name in largest else 'out'}")
        if class_name in largest:
            chosen.append(group.assign(split=assign_splits(len(group), config["split"], minimum)))
    table = pd.concat(chosen)
    names = sorted(table.class_name.unique())
    table["label"] = table.class_name.map(names.index)
    table["image"] = table.icon_set + "/" + table.icon
    size = config["size"][args.dataset]
    table["png"] = [
        encode_png(place(picture, size, rank))
        for picture, rank in zip(table.picture, table["rank"], strict=True)
    ]
    table["order"] = table.split.map(SPLITS.index)
    table = table.sort_values(["order", "label", "rank"])
    print(f"{len(names)} classes, {len(table)} drawings of {table.icon_set.nunique()} sets")
    print(table.groupby("split", sort=False).size().to_string())
    write_parquet(table[list(IMAGES)], args.out, IMAGES)


if __name__ == "__main__":
    main()
