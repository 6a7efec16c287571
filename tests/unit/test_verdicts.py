"""Verdicts: words and signs where the numbers are simple, and the edges between verdicts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ptnl.analysis.claims import ACCURACY, CLAIMS_OF_THE_PAPER, NORM_RATIO
from ptnl.analysis.comparisons import Comparison, Condition, Setting, above, loses_less
from ptnl.analysis.published import CELL
from ptnl.analysis.verdicts import (
    FAILS,
    HOLDS,
    UNDECIDED,
    UNJUDGED,
    Finding,
    Outcome,
    claims_table,
    printed_difference,
    values_of,
)
from ptnl.errors import InputError

COMPARISON = Comparison("a over b", (), (), "a was {} above b", "a was {} below b")


def outcome(*differences: float, label: str = "a") -> Outcome:
    """Differences of four seeds, the same on two data sets."""
    table = pd.DataFrame([differences, differences], index=["icons", "symbols"])
    return Outcome(replace(COMPARISON, right=f"{label} was {{}} above b"), table)


def finding(*outcomes: Outcome, missing: tuple[str, ...] = ()) -> Finding:
    return Finding("a_claim", CLAIMS_OF_THE_PAPER["fixed_class_names"], outcomes, missing, [])


# Student's interval of four seeds is 3.182 times their standard deviation over 2 on either side.
@pytest.mark.parametrize(
    ("differences", "unit", "words"),
    [
        ((0.5,) * 4, ACCURACY, "a was 0.5 points above b (95 % interval 0.5 to 0.5)"),
        ((-1, 1, -1, 1), ACCURACY, "a was 0.0 points above b (95 % interval −1.8 to 1.8)"),
        ((0,) * 4, ACCURACY, "a was 0.0 points above b (95 % interval 0.0 to 0.0)"),
        ((-2, -2, -2, -4), ACCURACY, "a was 2.5 points below b (95 % interval 0.9 to 4.1)"),
        ((1, -3, 1, -3), ACCURACY, "a was 1.0 points below b (95 % interval −2.7 to 4.7)"),
        ((0.0321,) * 4, NORM_RATIO, "a was 0.032 above b (95 % interval 0.032 to 0.032)"),
        ((-2, -2, -2, -4), NORM_RATIO, "a was 2.500 below b (95 % interval 0.909 to 4.091)"),
    ],
)
def test_what_was_found_in_words(differences, unit, words):
    assert outcome(*differences).words(unit) == words


def test_data_sets_weigh_alike_and_are_seen_alone():
    table = pd.DataFrame([[1.0, 2.0], [5.0, 8.0]], index=["icons", "symbols"])
    both = Outcome(COMPARISON, table)
    assert both.overall.mean == 4.0
    assert both.overall.low == pytest.approx(4 - 12.7062 * 1, abs=1e-3)
    assert both.at_level(0.5).low == pytest.approx(4 - 1 * 1, abs=1e-3)
    assert both.on("symbols").mean == 6.5


def test_an_interval_that_ends_at_zero_decides_nothing():
    touching = finding(outcome(0, 0, 0, 0))
    assert touching.verdict == UNDECIDED
    assert touching.sentence == ("Undecided: a was 0.0 points above b (95 % interval 0.0 to 0.0).")
    assert finding(outcome(0.5, 0.5, 0.5, 0.5)).verdict == HOLDS
    assert finding(outcome(-0.5, -0.5, -0.5, -0.5)).verdict == FAILS
    assert finding(outcome(-0.2, 0.4, -0.2, 0.4)).verdict == UNDECIDED


def test_what_is_undecided_is_said_alone():
    """Of two comparisons, one is clear; the other one is why the claim is undecided."""
    clear, unclear = outcome(0.5, 0.5, 0.5, 0.5, label="c"), outcome(-1, 1, -1, 1, label="u")
    both = finding(clear, unclear)
    assert both.weakest == unclear
    assert both.sentence == "Undecided: u was 0.0 points above b (95 % interval −1.8 to 1.8)."


def test_each_of_several_comparisons_that_refute_is_said():
    against = outcome(-3, -3, -3, -3), outcome(-2, -2, -2, -2), outcome(1, 1, 1, 1)
    assert finding(*against).sentence == (
        "Does not hold: a was 3.0 points below b (95 % interval 3.0 to 3.0); "
        "a was 2.0 points below b (95 % interval 2.0 to 2.0)."
    )


def test_what_is_missing_is_said_before_any_number():
    lacking = finding(outcome(1, 1, 1, 1), missing=("no runs of `a`", "3 of 4 seeds"))
    assert lacking.verdict == UNJUDGED
    assert lacking.sentence == "Not enough runs: no runs of `a`; 3 of 4 seeds."


def values(*rows: tuple) -> pd.DataFrame:
    columns = ["dataset", "seed", "backbone", "method", "noise", "rate", "value"]
    return pd.DataFrame(rows, columns=columns)


def test_values_of_a_condition_are_its_own():
    table = values(
        ("icons", 1, "RN50", "a", "symmetric", 50.0, 1.0),
        ("icons", 1, "RN50", "b", "symmetric", 50.0, 2.0),
        ("icons", 1, "B16", "a", "symmetric", 50.0, 3.0),
        ("icons", 1, "RN50", "a", "confusion", 50.0, 4.0),
        ("icons", 1, "RN50", "a", "symmetric", 25.0, 5.0),
        ("icons", 2, "RN50", "a", "symmetric", 50.0, 6.0),
    )
    found = values_of(table, Condition("a", "RN50", 50.0, "symmetric"))
    assert found.to_dict() == {("icons", 1): 1.0, ("icons", 2): 6.0}
    assert values_of(table, Condition("b", "RN50")).to_dict() == {("icons", 1): 2.0}


def test_of_wrong_values_the_first_is_named():
    right = ("icons", 1, "RN50", "a", "none", 0.0, 1.0)
    wrong = [("icons", seed, "RN50", "a", "none", 0.0, np.nan) for seed in (2, 3)]
    with pytest.raises(InputError) as caught:
        values_of(values(right, *wrong), Condition("a", "RN50"))
    assert str(caught.value) == "`a` (RN50): not a number on icons for seed 2"
    others = [("symbols", seed, *right[2:]) for seed in (1, 2)]
    with pytest.raises(InputError) as caught:
        values_of(values(right, *others, *others), Condition("a", "RN50"))
    assert str(caught.value) == "two runs of `a` (RN50) on symbols for seed 1"


AT = Setting("fp_swap", (0.0, 50.0), "B16", ("B16", "B32"))


def printed(*rows: tuple) -> pd.DataFrame:
    """Numbers of the paper: table, data set, backbone, method, noise, rate, mean."""
    columns = ["source", "dataset", "backbone", "method", "noise", "rate", "mean"]
    table = pd.DataFrame(rows, columns=columns)
    assert set(CELL) <= set(columns)
    return table


def test_the_papers_number_is_its_last_with_resnet_50():
    numbers = printed(
        ("1", "dtd", "RN50", "a", "symmetric", 50.0, 60.0),
        ("1", "dtd", "RN50", "b", "symmetric", 50.0, 50.0),
        ("1", "dtd", "ViT-B-32", "b", "symmetric", 50.0, 10.0),
        ("2", "dtd", "RN50", "a", "symmetric", 50.0, 63.0),
        ("2", "food101", "RN50", "a", "symmetric", 50.0, 80.0),
        ("2", "food101", "RN50", "b", "symmetric", 50.0, 75.0),
        ("2", "ucf101", "RN50", "a", "symmetric", 50.0, 80.0),
        ("2", "dtd", "RN50", "a", "confusion", 50.0, 42.0),
        ("2", "dtd", "RN50", "b", "confusion", 50.0, 40.0),
    )
    here = above(AT, "a", "b", 50.0)
    assert printed_difference(here, numbers, "fp_swap", ["dtd"]) == (13.0, 1)
    assert printed_difference(here, numbers, "fp_swap", ["icons"]) == (9.0, 2)
    under = above(AT, "a", "b", 50.0, "confusion")
    assert printed_difference(under, numbers, "fp_swap", []) == (2.0, 1)
    assert printed_difference(above(AT, "a", "c", 50.0), numbers, "fp_swap", []) is None


def test_the_papers_number_is_of_one_backbone():
    rows = [
        ("1", "dtd", "RN50", method, "symmetric", rate, 50.0)
        for method in "ab"
        for rate in (0.0, 50.0)
    ]
    one, two = (loses_less(AT, "a", "b", 50.0, backbone) for backbone in AT.backbones)
    assert printed_difference(one, printed(*rows), "fp_swap", []) == (0.0, 1)
    assert printed_difference(two, printed(*rows), "fp_swap", []) is None


def test_the_table_has_a_row_a_claim():
    judged, lacking = finding(outcome(1, 1, 1, 1)), finding(missing=("no runs of `a`",))
    rows = claims_table([judged, lacking]).to_dict("records")
    claim = CLAIMS_OF_THE_PAPER["fixed_class_names"]
    same = {
        "claim": "a_claim",
        "statement": claim.statement,
        "source": claim.source,
        "statistic": claim.statistic,
        "unit": claim.unit,
    }
    assert rows[0] == {
        **same,
        "comparison": "a over b",
        **dict.fromkeys(("estimate", "low", "high"), 1.0),
        "seeds": 4,
        "datasets": "icons, symbols",
        "verdict": HOLDS,
        "finding": judged.sentence,
    }
    assert np.isnan([rows[1].pop(name) for name in ("estimate", "low", "high")]).all()
    assert rows[1] == {
        **same,
        "comparison": "",
        "seeds": 0,
        "datasets": "",
        "verdict": UNJUDGED,
        "finding": lacking.sentence,
    }
