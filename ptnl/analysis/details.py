"""Details behind an accuracy: single classes, mistakes and training curves. Pure functions."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ptnl.analysis.metrics import Metrics
from ptnl.analysis.text_tables import markdown_table
from ptnl.methods import METHODS
from ptnl.schemas import CLASS_ACCURACY, CURVES, MISTAKES, rows_of
from ptnl.study.layouts import labels_in_words

POINT = ["dataset", "backbone", "method", "noise", "fp"]
SHOWN = 3  # most frequent mistakes of a method
LISTED = 100  # classes of a data set in a table


def class_results(
    metrics: Sequence[Metrics],
    predictions: Iterable[np.ndarray],
    labels: np.ndarray,
    names: Sequence[str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Accuracy of each class, and how often each is taken for another, over the seeds of runs.

    Parameters
    ----------
    metrics : one per run of one data set
    predictions : (T) predicted labels of the test images, of the same runs, read one by one
    labels : (T) true labels
    names : C class names

    Returns
    -------
    See `ptnl.schemas.CLASS_ACCURACY` and `ptnl.schemas.MISTAKES`; pairs that never occur are left
    out.
    """
    images = np.bincount(labels, minlength=len(names))
    matrices: dict[tuple[Any, ...], list[np.ndarray]] = {}
    for run, predicted in zip(metrics, predictions, strict=True):
        counts = np.zeros((len(names), len(names)), dtype=np.int64)
        np.add.at(counts, (labels, predicted), 1)
        percent = 100 * counts / np.maximum(images, 1)[:, None]
        matrices.setdefault((*(run[key] for key in POINT), run["rate"]), []).append(percent)
    tested = images > 0
    accuracy, mistakes = [], []
    for (*point, rate), found in matrices.items():
        of_seeds = np.stack([matrix.diagonal() for matrix in found])
        spread = of_seeds.std(axis=0, ddof=1) if len(found) > 1 else np.full(len(names), np.nan)
        key = dict(zip(POINT, point, strict=True))
        of_classes = {
            "class_name": names,
            "images": images,
            "mean": of_seeds.mean(axis=0),
            "sd": spread,
        }
        part = pd.DataFrame(of_classes).assign(**key, rate=rate, n=len(found))
        accuracy.append(part[tested][list(CLASS_ACCURACY)])
        mean = np.mean(found, axis=0)
        np.fill_diagonal(mean, 0)
        true, taken = mean.nonzero()
        pairs = {
            "true_class": np.take(names, true),
            "predicted_class": np.take(names, taken),
            "percent": mean[true, taken],
        }
        mistakes.append(pd.DataFrame(pairs).assign(**key)[list(MISTAKES)])
    return pd.concat(accuracy, ignore_index=True), pd.concat(mistakes, ignore_index=True)


def learning_curves(metrics: Sequence[Metrics], histories: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The epochs of runs one below the other; see `ptnl.schemas.CURVES`."""
    if not histories:
        return pd.DataFrame(columns=list(CURVES))
    keys = pd.DataFrame([{key: run[key] for key in (*POINT, "seed", "rate")} for run in metrics])
    of_run = np.repeat(np.arange(len(metrics)), [len(history) for history in histories])
    epochs = pd.concat(histories, ignore_index=True)
    return epochs.assign(**keys.iloc[of_run].reset_index(drop=True))[list(CURVES)]


def at_most_noise(rows: pd.DataFrame, backbone: str, noise: str) -> pd.DataFrame:
    """A backbone's rows at the highest rate of a kind of noise, and those of zero-shot CLIP."""
    rows = rows[rows.backbone == backbone]
    noisy = rows[rows.noise == noise]
    zero_shot = rows[rows.method == "zero_shot"]
    most: pd.DataFrame = noisy[noisy.fp == noisy.fp.max()]
    return pd.concat([zero_shot, most])


def classes_markdown(accuracy: pd.DataFrame, title: str, noise: str) -> str:
    """The accuracy of every class with every method, hardest classes first, `LISTED` at most.

    accuracy : of one data set, as `at_most_noise` gives them
    """
    run = set(accuracy.method)
    methods = [name for name in METHODS if name in run]
    wide = accuracy.pivot(index="class_name", columns="method", values="mean")[methods]
    wide = wide.loc[wide.mean(axis=1).sort_values(kind="stable").index]
    images = accuracy.groupby("class_name").images.first()
    rows = [
        [name, images[name], *(f"{value:.1f}" for value in values)]
        for name, values in zip(wide.index[:LISTED], wide.to_numpy(), strict=False)
    ]
    which = "every class" if len(wide) <= LISTED else f"the {LISTED} hardest classes"
    said = (
        f"**Accuracy (%) of {which} of {title}:** "
        f"{labels_in_words(noise, accuracy.rate.max())}, mean over seeds."
    )
    heads = ["Class", "Test images", *(METHODS[name].title for name in methods)]
    return f"{said}\n\n{markdown_table(heads, rows, 'l' + 'r' * (1 + len(methods)))}\n"


def mistakes_markdown(mistakes: pd.DataFrame, title: str, noise: str, rate: float) -> str:
    """The most frequent mistakes of every method on one data set.

    mistakes : of one data set, as `at_most_noise` gives them
    """
    rows, run = [], set(mistakes.method)
    for method in (name for name in METHODS if name in run):
        worst = mistakes[mistakes.method == method].nlargest(SHOWN, "percent")
        rows.append(
            (
                METHODS[method].title,
                "; ".join(
                    f"{row.true_class} → {row.predicted_class} {row.percent:.0f} %"
                    for row in rows_of(worst)
                ),
            )
        )
    said = (
        f"**Most frequent mistakes on {title}**, {labels_in_words(noise, rate)}: the true class, "
        "the class it was taken for, and how many of its test images, mean over seeds."
    )
    return f"{said}\n\n{markdown_table(['Method', 'Mistakes'], rows, 'll')}\n"
