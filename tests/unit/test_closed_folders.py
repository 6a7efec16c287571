"""A folder that may not be read is named with the cure; its images are not just left out."""

import json
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.permissions import CLOSED, bound_by_modes, mode
from tests.unit.pictures import photograph

# Each must raise an error with the sentence that names the folder `closed`.
LOOKS = {
    "the images of `ptnl adapt`": (
        "from ptnl.own.inputs import list_images as look",
        "look(closed.parent)",
    ),
    "the images of `ptnl adapt`, all": (
        "from ptnl.own.inputs import list_images as look",
        "look(closed)",
    ),
    "a data set of one's own, as it is planned": (
        "from ptnl.data.changes import state_of as look",
        "look(closed.parent.parent / 'receipt.json', 'mine', {'folder': str(closed.parent)})",
    ),
    "a data set of one's own, in the closed folder": (
        "from ptnl.data.changes import state_of as look",
        "look(closed.parent.parent / 'receipt.json', 'mine', {'folder': str(closed / 'mine')})",
    ),
    "a data set of one's own, as it is indexed": (
        "from ptnl.data.folder_tree import scan as look",
        "look(closed.parent, 'cat')",
    ),
    "the place of a data set": (
        "from ptnl.data.changes import check_place as look",
        "look(closed / 'receipt.json', 'mine')",
    ),
}


@dataclass(frozen=True)
class Look:
    """A closed folder, and what was said of it."""

    closed: Path
    said: str


@pytest.fixture(scope="module")
def looks(tmp_path_factory) -> dict[str, Look]:
    """Every look at a closed folder of its own, all of them in one process."""
    script = """
import json, sys
from pathlib import Path
from ptnl.errors import InputError

said = []
"""
    folders = []
    with ExitStack() as modes:
        for start, look in LOOKS.values():
            images = tmp_path_factory.mktemp("looks") / "images"
            closed = images / "cat"
            for folder in (closed, images / "dog"):
                folder.mkdir(parents=True)
                photograph().save(folder / "a.png")
            modes.enter_context(mode(closed, CLOSED))
            script += f"""
{start}
closed = Path({str(closed)!r})
try:
    seen = {look}
    said.append(f"not refused: {{seen}}")
except InputError as error:
    said.append(str(error))
"""
            folders.append(closed)
        command = bound_by_modes([sys.executable, "-c", f"{script}\nprint(json.dumps(said))"])
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = [Look(*pair) for pair in zip(folders, json.loads(said), strict=True)]
    return dict(zip(LOOKS, found, strict=True))


@pytest.mark.parametrize("what", LOOKS)
def test_a_closed_folder_is_named_with_the_cure(looks, what):
    assert looks[what].said == (
        f"{looks[what].closed}: you may not look into this folder; allow it (chmod u+rx), or ask "
        "its owner to"
    )
