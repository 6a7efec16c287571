"""Every malformed config is refused in one sentence with the key and the nearest right word."""

import pytest

from ptnl.errors import InputError
from ptnl.study.config import read_study
from tests.inputs.configs import REFERENCES, TEXTS, TYPOS, VALUES

CASES = [*TYPOS, *VALUES, *REFERENCES]


@pytest.mark.parametrize("case", CASES, ids=range(len(CASES)))
def test_a_malformed_config_is_refused_in_one_sentence(root, case):
    changes, key, says = case
    with pytest.raises(InputError) as caught:
        read_study(root, [], changes)
    sentence = str(caught.value)
    assert key in sentence
    assert says in sentence
    assert sentence.isprintable()


@pytest.mark.parametrize("case", TEXTS, ids=range(len(TEXTS)))
def test_a_malformed_file_is_refused_in_one_sentence(root, tmp_path, case):
    text, key, says = case
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text(text)
    with pytest.raises(InputError) as caught:
        read_study(root, [overlay], {})
    sentence = str(caught.value)
    assert key in sentence
    assert says in sentence
    assert sentence.isprintable()


def test_there_are_at_least_150_cases_and_no_case_twice():
    assert len(CASES) + len(TEXTS) >= 150
    assert len({repr(changes) for changes, *_ in CASES}) == len(CASES)
