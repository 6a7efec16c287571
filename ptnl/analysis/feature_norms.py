"""How long the image features of a study are, on which the meaning of its penalties rests. Pure."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ptnl.analysis.text_tables import markdown_table
from ptnl.data import title_of
from ptnl.schemas import rows_of

TOGETHER = 2**16  # images whose norms are computed at once: features stay on the disk


def norms_table(features: Mapping[tuple[str, str], np.ndarray], c: float | None) -> pd.DataFrame:
    """One row per data set and backbone, with the norms of its images' features.

    Parameters
    ----------
    features : (data set, backbone) -> features (N, D), not normalised
    c : inverse strength of the linear probe's penalty; None where the study has no probe

    Returns
    -------
    Columns dataset, backbone, dimensions; mean, low and high, the norms' mean and their 5 and 95 %
    quantiles; unit_c, the c that does on features of unit norm what `c` does on these, NaN without
    """
    rows = []
    for (dataset, backbone), own in features.items():
        parts = np.array_split(own, 1 + len(own) // TOGETHER)
        norms = np.concatenate([np.linalg.norm(part.astype(np.float32), axis=1) for part in parts])
        low, high = np.quantile(norms, [0.05, 0.95])
        rows.append(
            {
                "dataset": dataset,
                "backbone": backbone,
                "dimensions": own.shape[1],
                "mean": norms.mean(),
                "low": low,
                "high": high,
                "unit_c": np.nan if c is None else c * np.square(norms).mean(),
            }
        )
    return pd.DataFrame(rows)


def markdown(table: pd.DataFrame, c: float | None, study: str) -> str:
    """The rows of `norms_table` as GitHub's Markdown."""
    heads = ["Data set", "Backbone", "Dimensions", "Mean norm", "5 to 95 %"]
    rows = [
        [
            title_of(row.dataset),
            row.backbone,
            row.dimensions,
            _number(row.mean),
            f"{_number(row.low)} to {_number(row.high)}",
        ]
        for row in rows_of(table)
    ]
    caption = f"**Image features.** Norms over all images, study {study!r}."
    if c is not None:
        heads.append("C · norm²")
        rows = [[*cells, _number(unit_c)] for cells, unit_c in zip(rows, table.unit_c, strict=True)]
        caption += (
            f" The linear probe has C = {c:g} on features as they come, which is what C · norm² "
            "(norm²: the mean) is on features of unit norm; scikit-learn's default there is 1."
        )
    return f"{caption}\n\n{markdown_table(heads, rows, 'llrrrr'[: len(heads)])}\n"


def _number(value: float) -> str:
    """A number with three digits that count, and no power of ten."""
    return f"{float(f'{value:.3g}'):,.12g}"
