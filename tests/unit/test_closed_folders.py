"""A folder that may not be read is named with the cure; its images are not just left out."""

import json
import subprocess
import sys

import pytest

from tests.faults.permissions import CLOSED, bound_by_modes, mode
from tests.unit.pictures import photograph

# Each looks into the closed folder, and must raise an error.
LOOKS = {
    "the images of `ptnl adapt`": "list_images(closed.parent)",
    "the images of `ptnl adapt`, all": "list_images(closed)",
    "a data set of one's own, as it is planned": (
        "state_of(receipt, 'mine', {'folder': str(images)})"
    ),
    "a data set of one's own, in the closed folder": (
        "state_of(receipt, 'mine', {'folder': str(closed / 'mine')})"
    ),
    "a data set of one's own, as it is indexed": "scan(images, 'cat')",
    "the place of a data set": "check_place(closed / 'receipt.json', 'mine')",
}
LOOK = """
import json, sys
from pathlib import Path
from ptnl.data.changes import check_place, state_of
from ptnl.data.folder_tree import scan
from ptnl.errors import InputError
from ptnl.own.inputs import list_images

closed = Path(sys.argv[1])
images, receipt = closed.parent, closed.parents[1] / "receipt.json"
said = {}
for what, look in json.load(sys.stdin).items():
    try:
        said[what] = f"not refused: {eval(look)}"
    except InputError as error:
        said[what] = str(error)
json.dump(said, sys.stdout)
"""


@pytest.fixture(scope="module")
def closed(tmp_path_factory):
    """A folder beside another one, with an image in each."""
    images = tmp_path_factory.mktemp("closed") / "images"
    for name in ("cat", "dog"):
        (images / name).mkdir(parents=True)
        photograph().save(images / name / "a.png")
    return images / "cat"


@pytest.fixture(scope="module")
def said(closed) -> dict[str, str]:
    """What every look says, all of one process that must obey the modes of files."""
    command = bound_by_modes([sys.executable, "-c", LOOK, str(closed)])
    with mode(closed, CLOSED):
        return json.loads(subprocess.check_output(command, input=json.dumps(LOOKS), text=True))


@pytest.mark.parametrize("what", LOOKS)
def test_a_closed_folder_is_named_with_the_cure(closed, said, what):
    assert said[what] == (
        f"{closed}: you may not look into this folder; allow it (chmod u+rx), or ask its owner to"
    )
