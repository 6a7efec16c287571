"""Render every usable drawing of `@iconify/json` at 64 x 64 pixels into one Parquet file.

Monochrome drawings are stored as opacity (PNG, mode L), because they can be shown in any colour.
Coloured drawings are stored as they are (PNG, mode RGBA).
"""

import argparse
import io
import json
import tarfile
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path

import pandas as pd
import resvg_py
from corpus import Drawing, drawings, is_usable
from PIL import Image
from tqdm import tqdm

from ptnl.io import write_parquet

COLUMNS = {
    "icon_set": "string",
    "category": "string",
    "icon": "string",
    "name": "string",
    "variant": "int64",
    "coloured": "bool",
    "author": "string",
    "license": "string",
    "png": "binary",
}


def render(drawing: Drawing) -> bytes | None:
    """The drawing as PNG bytes; None if it is empty or not valid SVG."""
    try:
        rendered = resvg_py.svg_to_bytes(svg_string=drawing.svg, skip_system_fonts=True)
    except ValueError:
        return None
    image = Image.open(io.BytesIO(rendered)).convert("RGBA")
    opacity = image.getchannel("A")
    if opacity.getbbox() is None:
        return None
    png = io.BytesIO()
    (image if drawing.coloured else opacity).save(png, "PNG", optimize=True)
    return png.getvalue()


def read_icon_sets(archive: Path) -> Iterator[dict]:
    """Every usable icon set of the npm package, in alphabetical order."""
    with tarfile.open(archive) as tar:
        members = [m for m in tar.getmembers() if m.name.startswith("package/json/")]
        for member in sorted(members, key=lambda m: m.name):
            icon_set = json.load(tar.extractfile(member))
            if is_usable(icon_set["prefix"], icon_set["info"]):
                yield icon_set


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", type=Path, required=True, help="the packed @iconify/json")
    parser.add_argument("--out", type=Path, required=True, help="corpus.parquet")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    corpus = [drawing for s in read_icon_sets(args.archive) for drawing in drawings(s)]
    with Pool(args.threads) as pool:
        pngs = list(
            tqdm(
                pool.imap(render, corpus, chunksize=256),
                total=len(corpus),
                unit="drawing",
                disable=None,
            )
        )
    rows = [
        (d.icon_set, d.category, d.icon, d.name, d.variant, d.coloured, d.author, d.license, png)
        for d, png in zip(corpus, pngs, strict=True)
        if png is not None
    ]
    print(f"{len(rows)} drawings rendered, {len(corpus) - len(rows)} empty or invalid")
    write_parquet(pd.DataFrame(rows, columns=list(COLUMNS)), args.out, COLUMNS)


if __name__ == "__main__":
    main()
