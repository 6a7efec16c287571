"""A folder that may not be read is named with the cure; its images are not just left out."""

import subprocess
import sys

import pytest

from tests.faults.permissions import CLOSED, bound_by_modes, mode
from tests.unit.pictures import photograph

# Each prints the sentence of the error that it must raise; the argument is the closed folder.
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


@pytest.mark.parametrize("what", LOOKS)
def test_a_closed_folder_is_named_with_the_cure(tmp_path, what):
    closed, other = tmp_path / "images/cat", tmp_path / "images/dog"
    for folder in (closed, other):
        folder.mkdir(parents=True)
        photograph().save(folder / "a.png")
    start, look = LOOKS[what]
    script = f"""
import sys
from pathlib import Path
from ptnl.errors import InputError
{start}
closed = Path(sys.argv[1])
try:
    print("not refused:", {look})
except InputError as error:
    print(error)
"""
    with mode(closed, CLOSED):
        command = bound_by_modes([sys.executable, "-c", script, str(closed)])
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == (
        f"{closed}: you may not look into this folder; allow it (chmod u+rx), or ask its owner to\n"
    )
