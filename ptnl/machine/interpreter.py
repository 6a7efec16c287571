"""Which Python and which `ptnl` the jobs of a workflow run with."""

import os
import sys
from pathlib import Path


def put_first(checkout: Path) -> None:
    """Let this process's commands find its own Python and the `ptnl` of a checkout before others.

    A job starts `python -m ptnl...` in the user's folder, with an environment activated or not.
    """
    for variable, folder in (("PATH", Path(sys.executable).parent), ("PYTHONPATH", checkout)):
        before = os.environ.get(variable)
        os.environ[variable] = os.pathsep.join(filter(None, [str(folder), before]))
