"""Predict the classes of a folder of images with an adapted model, with bounded memory."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from ptnl.errors import InputError
from ptnl.io import atomic_path
from ptnl.own.adapted import AdaptedModel, read_adapted
from ptnl.own.encode import parts
from ptnl.own.inputs import list_images
from ptnl.own.session import Session

TOP = 5
FIRST_COLUMNS = ["image", "class_1", "probability_1"]


@dataclass(frozen=True)
class Predictions:
    """The most likely classes of every readable image, and the images that cannot be read."""

    table: pd.DataFrame  # image, class_1, probability_1, class_2, ...
    unreadable: dict[str, str]  # image -> what is wrong


def predict(
    model: str | Path | AdaptedModel,
    images: str | Path,
    out: str | Path | None = None,
    top: int = TOP,
    session: Session | None = None,
) -> Predictions:
    """Predict the `top` most likely classes of every image below a folder, with probabilities.

    A call that was stopped is continued, because encoded images are in the cache. Only the
    predictions stay in memory. `out` is a CSV or Parquet file.

    Raises `InputError` if something is wrong with the folder, the model or the backbone.
    """
    adapted = model if isinstance(model, AdaptedModel) else read_adapted(Path(model))
    session = session_of(adapted, session)
    folder = Path(images)
    target = None if out is None else checked_target(Path(out), folder)
    names = list_images(folder)
    top = min(top, len(adapted.classes.names))
    if top < 1:
        raise InputError(f"--top {top}: give one or more")
    order = np.empty((len(names), top), np.int32)
    likely = np.empty((len(names), top), np.float32)
    is_read = np.zeros(len(names), bool)
    unreadable: dict[str, str] = {}
    with session.encoder() as (encoder, cache):
        for part in parts([folder / name for name in names], encoder, cache, session.threads):
            unreadable |= {names[row]: why for row, why in part.unreadable.items()}
            if not len(part.rows):
                continue
            probabilities = adapted.probabilities(np.stack([e.feature for e in part.encoded]))
            best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
            order[part.rows], is_read[part.rows] = best, True
            likely[part.rows] = np.take_along_axis(probabilities, best, axis=1)
    classes = np.array(adapted.classes.names, dtype=object)
    columns = {"image": np.array(names, dtype=object)[is_read]}
    for place in range(top):
        columns[f"class_{place + 1}"] = classes[order[is_read, place]]
        columns[f"probability_{place + 1}"] = likely[is_read, place]
    predictions = Predictions(pd.DataFrame(columns), unreadable)
    if target is not None:
        write_table(predictions.table, target)
    return predictions


def session_of(model: AdaptedModel, session: Session | None) -> Session:
    """A session with the model's own backbone; checks that its weights are still the same."""
    asked = session or Session()
    own = Session(model.backbone["name"], asked.device, asked.precision, asked.threads, asked.cache)
    if own.files.sha256 != model.backbone["sha256"]:
        raise InputError(
            f"the weights of {own.backbone} are not those that the model was adapted with "
            f"({own.files.weights}); adapt again"
        )
    return own


def checked_target(out: Path, images: Path) -> Path:
    """Check that we may write a table here: its kind is known, and it is not among the images."""
    if out.suffix.lower() not in (".csv", ".parquet"):
        raise InputError(f"{out}: give a name that ends in .csv or .parquet")
    if out.resolve().is_relative_to(images.resolve()):
        raise InputError(f"{out}: lies in your folder of images; give a place outside it")
    if out.exists() and not _is_ours(out):
        raise InputError(f"{out}: is there, and holds no predictions of ptnl's; give another name")
    return out


def _is_ours(table: Path) -> bool:
    """Whether a file is a table of predictions, by its first columns."""
    try:
        columns = (
            pq.read_schema(table).names
            if table.suffix.lower() == ".parquet"
            else pd.read_csv(table, nrows=0).columns.tolist()
        )
    except (OSError, ValueError):
        return False
    return columns[: len(FIRST_COLUMNS)] == FIRST_COLUMNS


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV or Parquet, whole or not at all; it may replace one of ours."""
    with atomic_path(path, replaces=True) as temporary:
        if path.suffix.lower() == ".parquet":
            table.to_parquet(temporary, index=False)
        else:
            table.to_csv(temporary, index=False)
