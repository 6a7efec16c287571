"""The paper's numbers are complete and plausible, and every inconsistency has a note."""

import numpy as np
import pandas as pd
import pytest

from ptnl.analysis.published import CELL, FILE, PUBLISHED, beside, published
from ptnl.errors import InputError

# Table -> how many numbers it prints (means and standard deviations), and their sum as a check.
PRINTED = {
    1: (64, 3718.87),
    2: (48, 3015.27),
    3: (64, 4299.59),
    4: (32, 858.40),
    5: (32, 2024.91),
    6: (112, 6430.38),
    7: (84, 5145.92),
    8: (14, 258.84),
    9: (56, 1464.42),
}
FOUR = {"oxford_pets", "food101", "dtd", "ucf101"}
SEVEN = FOUR | {"flowers102", "fgvc_aircraft", "caltech101"}
DATASETS = dict.fromkeys((1, 2, 4), FOUR)
DATASETS |= dict.fromkeys((6, 7, 8, 9), SEVEN)
DATASETS |= dict.fromkeys((3, 5), SEVEN | {"imagenet"})


@pytest.fixture(scope="module")
def numbers() -> pd.DataFrame:
    return published()


@pytest.mark.parametrize("table", PRINTED)
def test_every_number_of_a_table_is_in_the_file(numbers, table):
    rows = numbers[numbers.table == table]
    count, total = PRINTED[table]
    values = rows[["mean", "sd"]].to_numpy()
    assert np.isfinite(values).sum() == count
    assert np.nansum(values) == pytest.approx(total, abs=1e-6)
    assert set(rows.dataset) == DATASETS[table]
    sizes = rows.groupby("dataset").size()
    assert sizes.nunique() == 1
    assert not rows.duplicated(CELL).any()


def test_numbers_are_in_plausible_ranges(numbers):
    assert list(numbers.columns) == list(PUBLISHED)
    assert numbers["mean"].between(3, 95).all()
    assert numbers.sd.dropna().between(0.4, 12).all()
    assert numbers.sd.notna().equals(numbers.table.isin([4, 8, 9]))
    assert set(numbers.backbone) == {"RN50", "ViT-B-32"}
    assert set(numbers.noise) == {"none", "symmetric", "confusion"}
    assert ((numbers.noise == "none") == numbers.table.isin([5, 8])).all()
    assert set(numbers[numbers.noise == "symmetric"].rate) == {0, 12.5, 25, 50}


def test_more_wrong_labels_never_help(numbers):
    swept = numbers[numbers.table.isin([1, 2, 3, 6, 7])].sort_values("rate")
    for _, line in swept.groupby(["table", "dataset", "method", "backbone"]):
        assert line["mean"].is_monotonic_decreasing


def test_tables_agree_except_where_noted(numbers):
    apart = numbers.groupby(CELL)["mean"].transform("nunique") > 1
    assert set(map(tuple, numbers.loc[apart, ["dataset", "method", "rate"]].to_numpy())) == {
        ("flowers102", "prompt_ce", 0.0),
        ("flowers102", "prompt_ce", 12.5),
        ("flowers102", "prompt_ce", 25.0),
    }
    assert sorted(numbers.index[apart]) == sorted(
        numbers.index[numbers.note.str.contains(" print")]
    )
    for row in numbers[apart].itertuples():
        others = numbers[(numbers[CELL] == numbers.loc[row.Index, CELL]).all(axis=1)]
        other = (set(others["mean"]) - {row.mean}).pop()
        assert row.note.endswith(f"{other:.2f}")
    assert (numbers.groupby(CELL).sd.nunique() <= 1).all()


@pytest.mark.parametrize(("short", "long"), [(1, 6), (2, 7), (4, 9)])
def test_the_short_tables_are_part_of_the_long_ones(numbers, short, long):
    both = beside(numbers[numbers.table == short], numbers, long)
    assert (both["mean"] == both.published_mean).all()
    assert both.sd.equals(both.published_sd)


def test_a_repeated_sd_is_noted(numbers):
    rows = numbers[numbers.table.isin([4, 9]) & (numbers.noise == "symmetric")]
    repeated = rows[rows.note.str.contains("same sd")]
    assert set(repeated.sd) == {3.76, 2.12}
    assert set(rows[rows.sd.isin([3.76, 2.12])].index) == set(repeated.index)


def test_every_cell_that_contradicts_a_sentence_of_the_paper_is_noted(numbers):
    def cells(table: int, rows: pd.Series) -> set:
        found = numbers[(numbers.table == table) & rows]
        return set(zip(found.dataset, found.method, strict=True))

    def against(table: int, method: str) -> pd.Series:
        """Each cell minus the method's cell for the same data set, backbone, noise and rate."""
        other = numbers[(numbers.table == table) & (numbers.method == method)]
        place = ["dataset", "backbone", "noise", "rate"]
        joined = numbers.merge(other[[*place, "mean"]], on=place, how="left", suffixes=("", "_of"))
        return joined["mean"] - joined["mean_of"]

    says = numbers.note.str.contains(" says ")
    clean = (numbers.rate == 0) & ~numbers.dataset.isin(["oxford_pets", "food101"])
    assert cells(1, says) == cells(1, against(1, "prompt_ce") > 0) != set()
    assert cells(2, says) == cells(2, clean & (against(2, "prompt_ce") < 0)) != set()
    assert cells(5, says) == cells(5, against(5, "zero_shot") < 0) != set()
    wide = numbers[numbers.table == 9].pivot(
        index=["dataset", "method"], columns="noise", values="mean"
    )
    harder = set(wide.index[wide.confusion >= wide.symmetric])
    probes = cells(9, (numbers.method == "linear_probe") & (against(9, "prompt_ce") > 0))
    assert cells(9, says) == harder | probes
    assert len(harder) == 2
    assert probes == {("fgvc_aircraft", "linear_probe")}


def test_published_cells_are_joined_to_ours(numbers):
    ours = pd.DataFrame(
        [
            ("dtd", "RN50", "prompt_ce", "confusion", 50.0, 40.0),
            ("icons", "mini-rn", "prompt_ce", "confusion", 50.0, 50.0),
        ],
        columns=[*CELL, "mean"],
    )
    both = beside(ours, numbers, 9)
    assert both["mean"].tolist() == [40.0, 50.0]
    assert both.loc[0, ["published_mean", "published_sd"]].tolist() == [45.76, 1.23]
    assert both.loc[1, ["published_mean", "published_sd"]].isna().all()


def test_a_broken_file_is_refused(tmp_path):
    path = tmp_path / "published.csv"
    text = FILE.read_text()
    for broken in (
        text.replace("74.82", "74,82", 1),
        text.replace("74.82", "74.8.2", 1),
        text.replace("74.82", "", 1),
        text.replace(",note", ",remark", 1),
    ):
        path.write_text(broken)
        with pytest.raises(InputError, match=r"published\.csv: "):
            published(path)
    with pytest.raises(InputError, match="nowhere"):
        published(tmp_path / "nowhere.csv")
