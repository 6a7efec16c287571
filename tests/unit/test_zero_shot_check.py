"""The zero-shot check warns if accuracy is far from the published one, and only then."""

import pandas as pd
import pytest

from ptnl.analysis.published import published
from ptnl.analysis.zero_shot_check import CAUSES, SOURCE, against_published, markdown, warnings
from ptnl.cli import check_zeroshot
from ptnl.io import write_json
from tests.unit.made_up import metrics
from tests.unit.markdown import unpadded

NUMBERS = published()
PRINTED = NUMBERS[(NUMBERS.table == 5) & (NUMBERS.method == "zero_shot")]
PAPERS_BACKBONE = PRINTED.backbone.iloc[0]


def zero_shot(dataset: str, accuracy: float, backbone: str = PAPERS_BACKBONE) -> dict:
    run = metrics("zero_shot", 0, 0, accuracy)
    return {**run, "dataset": dataset, "backbone": backbone, "noise": "none"}


def compared(*runs: dict) -> pd.DataFrame:
    return against_published(pd.DataFrame(runs), NUMBERS)


def test_the_papers_eight_data_sets_have_a_number():
    assert sorted(PRINTED.dataset) == [
        *("caltech101", "dtd", "fgvc_aircraft", "flowers102"),
        *("food101", "imagenet", "oxford_pets", "ucf101"),
    ]
    assert set(compared(*(zero_shot(name, 50) for name in PRINTED.dataset)).verdict) == {"off"}


@pytest.mark.parametrize(
    ("accuracy", "verdict", "difference"),
    [
        (42.32, "agrees", 0.0),
        (43.82, "agrees", 1.5),
        (40.82, "agrees", -1.5),
        (43.83, "off", 1.51),
        (40.81, "off", -1.51),
    ],
)
def test_up_to_a_point_and_a_half_agrees(accuracy, verdict, difference):
    (row,) = compared(zero_shot("dtd", accuracy)).itertuples()
    assert row.published == 42.32  # Table 5
    assert row.verdict == verdict
    assert row.difference == pytest.approx(difference)


def test_the_warning_names_the_numbers_and_their_source():
    table = compared(zero_shot("dtd", 30), zero_shot("food101", 77), zero_shot("ucf101", 70))
    below, above = warnings(table)
    assert below == (
        f"zero-shot accuracy of {PAPERS_BACKBONE} on dtd is 30.00 %, 12.32 points below the "
        f"42.32 % of {SOURCE}"
    )
    assert "8.54 points above the 61.46 %" in above
    for cause in ("split", "image transform", "class names"):
        assert cause in CAUSES


def test_without_a_published_number_there_is_no_warning():
    table = compared(zero_shot("icons", 40, "mini-rn"), zero_shot("dtd", 40, "mini-rn"))
    assert set(table.verdict) == {"nothing published"}
    assert table.difference.isna().all()
    assert warnings(table) == []
    page = unpadded(markdown(table.head(1), "toy", "embedded"))
    assert "Nothing is published to compare it with." in page
    assert "| Icons | mini-rn | 40.00 |" in page
    known = compared(zero_shot("icons", 40, "mini-rn"), zero_shot("dtd", 42.32))
    page = unpadded(markdown(known, "toy", "embedded"))
    assert "| Icons | mini-rn | 40.00 | – | – | nothing published |" in page
    assert "Warning" not in page


def test_the_command_warns_and_goes_on(tmp_path, capsys, monkeypatch):
    icons = zero_shot("icons", 40.0)
    file = tmp_path / "metrics.json"
    write_json(icons, file)
    numbers = PRINTED.assign(dataset=PRINTED.dataset.replace("dtd", "icons"))
    monkeypatch.setattr(check_zeroshot, "published", lambda: numbers)
    out = {kind: tmp_path / f"zeroshot.{kind}" for kind in ("csv", "md")}
    command = ["--metrics", str(file), "--study", "toy", "--protocol", "paper"]
    check_zeroshot.main([*command, "--csv", str(out["csv"]), "--markdown", str(out["md"])])
    printed = capsys.readouterr().err
    assert printed.startswith("warning: zero-shot accuracy of")
    assert CAUSES in printed
    assert pd.read_csv(out["csv"]).verdict.tolist() == ["off"]
    assert out["md"].read_text().startswith("**Warning:** zero-shot accuracy of")
