"""The label noise of runs: the rate asked for, the rate found, and the images. Pure functions."""

import pandas as pd

from ptnl.analysis.text_tables import markdown_table
from ptnl.data import title_of
from ptnl.errors import InputError
from ptnl.labels.noise import NOISES
from ptnl.schemas import rows_of

DRAW = ["dataset", "noise", "fp", "seed"]  # what decides a labelled draw
MEASURES = ["rate", "rate_realised", "shots_per_class"]


def realised_noise(runs: pd.DataFrame) -> pd.DataFrame:
    """One row per (data set, kind of noise, fp), from the run table (`ptnl.schemas.RUNS`).

    All methods and backbones train on the same draws, so each draw counts once.

    Returns
    -------
    Columns dataset, noise, fp; rate (percent of wrong labels asked for); rate_realised (percent
    found) and shots_per_class (different images per class), means over draws; draws (their number)

    Raises
    ------
    InputError : two runs report different numbers of one draw
    """
    draws = runs.loc[runs.noise.isin(NOISES), [*DRAW, *MEASURES]].drop_duplicates()
    twice = draws[draws.duplicated(DRAW)]
    if len(twice):
        dataset, noise, fp, seed = twice.iloc[0][DRAW]
        raise InputError(f"runs disagree about the draw {dataset}/{noise}/fp-{fp}/seed-{seed}")
    points = draws.groupby(["dataset", "noise", "fp"])
    return points[MEASURES].mean().assign(draws=points.size()).reset_index()


def markdown(realised: pd.DataFrame, study: str, protocol: str) -> str:
    """The rows of `realised_noise` as GitHub's Markdown."""
    if not realised.fp.any():
        return _without_noise(realised, study, protocol)
    caption = (
        "**Noise.** Wrong labels asked for and found, and different images per class, means over "
        f"draws, study {study!r}, protocol {protocol!r}."
    )
    table = markdown_table(
        ["Data set", "Noise", "Asked for (%)", "Found (%)", "Images per class", "Draws"],
        [
            (
                title_of(row.dataset),
                row.noise,
                f"{row.rate:g}",
                f"{row.rate_realised:.1f}",
                f"{row.shots_per_class:.1f}",
                row.draws,
            )
            for row in rows_of(realised)
        ],
        "llrrrr",
    )
    return f"{caption}\n\n{table}\n"


def _without_noise(realised: pd.DataFrame, study: str, protocol: str) -> str:
    """What a study that makes no label wrong trains on."""
    rows = [
        (title_of(row.dataset), f"{row.shots_per_class:.1f}", row.draws)
        for row in rows_of(realised)
    ]
    table = markdown_table(["Data set", "Images per class", "Draws"], rows, "lrr")
    return (
        "**Training labels.** No label was made wrong: every method trains on the labels as they "
        "are. Different images per class, mean over draws, "
        f"study {study!r}, protocol {protocol!r}.\n\n{table}\n"
    )
