"""The report of realised noise: the share of wrong labels that draws really hold."""

import pandas as pd
import pytest

from ptnl.analysis.noise_report import markdown, realised_noise
from ptnl.errors import InputError
from tests.unit.markdown import unpadded


def run(method: str, noise: str, fp: int, seed: int, found: float, images: float = 16.0) -> dict:
    return {
        "dataset": "icons",
        "method": method,
        "noise": noise,
        "fp": fp,
        "seed": seed,
        "rate": 100 * fp / 16,
        "rate_realised": found,
        "shots_per_class": images,
    }


RUNS = pd.DataFrame(
    [
        run("zero_shot", "none", 0, 0, 0.0, 0.0),
        run("prompt_ce", "fp_swap", 8, 1, 53.0, 15.0),
        run("prompt_gce", "fp_swap", 8, 1, 53.0, 15.0),
        run("prompt_ce", "fp_swap", 8, 2, 55.0, 14.0),
        run("prompt_ce", "symmetric", 2, 1, 12.5),
    ]
)


def test_each_draw_counts_once():
    realised = realised_noise(RUNS)
    assert realised.to_dict("records") == [
        {
            "dataset": "icons",
            "noise": "fp_swap",
            "fp": 8,
            "rate": 50.0,
            "rate_realised": 54.0,
            "shots_per_class": 14.5,
            "draws": 2,
        },
        {
            "dataset": "icons",
            "noise": "symmetric",
            "fp": 2,
            "rate": 12.5,
            "rate_realised": 12.5,
            "shots_per_class": 16.0,
            "draws": 1,
        },
    ]


def test_runs_that_disagree_about_a_draw_are_an_error():
    other = pd.DataFrame([run("linear_probe", "symmetric", 2, 1, 13.0)])
    with pytest.raises(InputError, match="disagree about the draw icons/symmetric/fp-2/seed-1"):
        realised_noise(pd.concat([RUNS, other]))


def test_the_markdown_page_names_study_and_protocol():
    text = unpadded(markdown(realised_noise(RUNS), "toy", "released"))
    assert "study 'toy', protocol 'released'" in text
    assert "| Icons | fp_swap | 50 | 54.0 | 14.5 | 2 |" in text
