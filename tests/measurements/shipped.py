"""What the measurements of commands on a user's own images share: encoded images, and tables."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from ptnl.analysis.intervals import mean_interval
from ptnl.backbones.assets import FOLDER, sha256, verified
from ptnl.backbones.loading import load_backbone
from ptnl.features.decoding import to_rgb
from ptnl.features.encode import ImageEncoder, prepared

BATCH = 256


def shipped_features(dataset: str, backbone: str, folder: Path) -> tuple[np.ndarray, pd.DataFrame]:
    """Features (N, D) of all images of a shipped data set, kept in `folder`, and their table."""
    table = pd.read_parquet(FOLDER / f"{dataset}.parquet")
    path = folder / f"{dataset}-{backbone}-{weights_of(backbone)}.npy"
    if not path.exists():
        loaded = load_backbone(backbone, torch.device("cpu"))
        encoder, parts = ImageEncoder(loaded), []
        for first in range(0, len(table), BATCH):
            images = [
                to_rgb(Image.open(BytesIO(png)), "white")
                for png in table.png[first : first + BATCH]
            ]
            pixels = [torch.from_numpy(np.array(image)).permute(2, 0, 1) for image in images]
            ready = [prepared(p, loaded.image_size, loaded.preprocess) for p in pixels]
            parts.append(encoder(torch.stack(ready)).numpy())
        folder.mkdir(parents=True, exist_ok=True)
        np.save(path, np.concatenate(parts))
    return np.load(path).astype(np.float32), table.drop(columns="png")


def weights_of(backbone: str) -> str:
    """A short name for the weights of a shipped backbone, which a new training would change."""
    return sha256(verified(f"{backbone}.safetensors"))[:8]


def measurement_parser(doc: str) -> argparse.ArgumentParser:
    """Options of a script that measures data sets and seeds, and keeps its rows in a CSV file."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--datasets", nargs="+", default=["icons", "symbols"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--features", type=Path, default=Path("/tmp/ptnl-measurements-features"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--table", action="store_true", help="measure nothing; print the rows that --out holds"
    )
    return parser


def completed(
    out: Path, keys: Sequence[str], asked: Iterable[tuple], cell: Callable[..., list[dict]]
) -> pd.DataFrame:
    """The rows of all cells: those in the file `out`, and the others, written there when measured.

    Parameters
    ----------
    keys : columns that identify a cell
    asked : the cells that are wanted, each with one value for each key
    cell : function of these values that measures the rows of a cell
    """
    done = pd.read_csv(out).to_dict("records") if out.exists() else []
    there = {tuple(row[key] for key in keys) for row in done}
    for about in asked:
        if about not in there:
            done += cell(*about)
            pd.DataFrame(done).to_csv(out, index=False)
    return pd.DataFrame(done)


def markdown_table(
    results: pd.DataFrame,
    value: str,
    titles: dict[str, str],
    rows: Sequence[str],
    digits: int,
    less_is_better: bool = False,
) -> str:
    """A Markdown table of means and 95 % intervals over seeds: cells by methods.

    Parameters
    ----------
    results : one row for each seed, cell and method
    value : the column to show
    titles : method -> title, in the order of the columns
    rows : columns of `results` that identify a cell
    less_is_better : whether the lowest value of a row is bold, not the highest
    """
    lines = [
        f"| {' | '.join([*rows, *titles.values()])} |",
        "| --- " * (len(rows) + len(titles)) + "|",
    ]
    for cell, of_cell in results.groupby(list(rows), sort=False):
        values = of_cell.groupby("method")[value]
        estimates = [mean_interval(values.get_group(method)) for method in titles]
        best = (min if less_is_better else max)(estimate.mean for estimate in estimates)
        texts = []
        for mean, _, high in estimates:
            text = f"{mean:.{digits}f} ± {high - mean:.{digits}f}"
            texts.append(f"**{text}**" if mean == best else text)
        lines.append(f"| {' | '.join([*map(str, cell), *texts])} |")
    return "\n".join(lines)
