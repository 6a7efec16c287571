"""Every row of the table of odd and hostile inputs is read right, or refused in one sentence."""

import pytest

from ptnl.errors import InputError
from tests.inputs.page import PAGE, page
from tests.inputs.table import KINDS, READERS
from tests.snapshot import snapshot

ROWS = [
    pytest.param(kind, row, id=f"{kind}-{number}")
    for kind, rows in KINDS.items()
    for number, row in enumerate(rows)
]


@pytest.mark.parametrize(("kind", "row"), ROWS)
def test_an_input_is_read_right_or_refused_in_one_sentence(kind, row, tmp_path):
    given, place = tmp_path / "given", tmp_path / "place"
    given.mkdir()
    place.mkdir()
    made = row.make(given)
    before = snapshot(given)
    if row.is_read:
        row.check(READERS[kind](place, made))
    else:
        with pytest.raises(InputError) as caught:
            READERS[kind](place, made)
        sentence = str(caught.value)
        assert row.happens in sentence
        assert sentence.isprintable()
    assert snapshot(given) == before
    assert not list(place.rglob("*.partial"))


def test_there_are_at_least_120_rows_and_no_row_twice():
    assert sum(map(len, KINDS.values())) >= 120
    for rows in KINDS.values():
        assert len({row.what for row in rows}) == len(rows)


def test_the_page_of_the_documentation_is_up_to_date():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.inputs.page"
