"""Snakemake's reasons for running a job are put into a few words."""

import pytest

from ptnl.study.reasons import in_short

CHANGED = (
    "Params have changed since last execution: Union of exclusive params before and now across "
    "all output: before: {} now: {} "
)


@pytest.mark.parametrize(
    ("reason", "short"),
    [
        ("Missing output files: a/b.npy, c", "not there yet"),
        ("Input files updated by another job: a", "reads what is made anew"),
        (
            "Missing output files: a; Input files updated by another job: b",
            "not there yet",
        ),
        ("Incomplete output files: a", "was cut off"),
        ("Forced execution", "forced"),
        (
            CHANGED.format(
                "'training.losses: LOSSES[gce] 1f0c1f0c, gce 99339933'",
                "'training.losses: LOSSES[gce] 1f0c1f0c, gce 00000000'",
            ),
            "ptnl/training/losses.py: gce changed",
        ),
        (
            CHANGED.format("'methods: METHODS[new] 1f0c1f0c'", "'methods: METHODS[new] 00000000'"),
            "ptnl/methods/__init__.py: METHODS[new] changed",
        ),
        (
            CHANGED.format(
                ", ".join(f"'m{n}: a 1f0c1f0c, b 1f0c1f0c, c 1f0c1f0c, d 1f0c1f0c'" for n in "123"),
                "''",
            ),
            "ptnl/m1.py: a, b, c and 1 more changed; ptnl/m2.py: a, b, c and 1 more changed; "
            "1 more file",
        ),
        (
            CHANGED.format("'training.gone: gce 1f0c1f0c'", "''"),
            "ptnl/training/gone.py: gce changed",
        ),
        (
            CHANGED.format(
                "'--settings', '{\"epochs\": 2, \"q\": 0.7}'", '\'{"epochs": 3, "q": 0.7}\''
            ),
            "epochs: 2 became 3",
        ),
        (CHANGED.format("'{}'", '\'{"folder": "x"}\''), 'folder: not set became "x"'),
        (CHANGED.format("8", "16"), "its settings changed"),
        (
            CHANGED.format("8", "16") + "; Input files updated by another job: x",
            "its settings changed",
        ),
        ("Something that Snakemake has not said so far", None),
    ],
)
def test_a_reason_is_shortened(reason, short):
    assert in_short(reason) == (short or reason)
