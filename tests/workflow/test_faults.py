"""Faults of machines and users in the first stages of a study; `make test-faults` tries more."""

from functools import partial

import pytest

from tests.faults.clock import set_back
from tests.faults.disk import filled_up
from tests.faults.permissions import CLOSED, READ_ONLY, refused
from tests.faults.studies import DRAWS, finished
from tests.faults.together import from_one_folder, from_two_folders
from tests.workflow.conftest import Study


def draws(study: Study) -> list[str]:
    return [str(study.path(draw)) for draw in DRAWS]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Study:
    """The smoke study as far as its draws with wrong labels."""
    study = Study.create(tmp_path_factory.mktemp("drawn"))
    return finished(study, *draws(study))


@pytest.mark.parametrize("fault", [set_back, from_one_folder, from_two_folders])
def test_after_a_fault_a_study_has_the_files_of_an_undisturbed_one(drawn, tmp_path, fault):
    study = Study.create(tmp_path)
    outcome = fault(drawn, study, *draws(study))
    assert outcome.survived == outcome.tried


def test_a_full_disk_is_named_and_the_study_finishes_with_more_room(drawn, tmp_path, small_disk):
    study = Study.create(tmp_path / "study")
    outcome = filled_up(drawn, study, [16, 4000], *draws(study))
    assert outcome.survived == outcome.tried == 1


def test_a_path_that_may_not_be_written_or_read_is_named(drawn):
    noise = drawn.path(DRAWS[0])
    kept = noise.read_bytes()
    noise.unlink()
    drawn.path(DRAWS[0].replace("fp-8", "fp-0")).unlink()  # another output of the same job
    refuses = partial(refused, drawn)
    refuses(noise.parent, READ_ONLY, str(noise))
    refuses(drawn.path("<results>/shots/symbols/seed-1.parquet"), CLOSED, str(noise))
    finished(drawn, str(noise))
    assert noise.read_bytes() == kept
