"""A pytest plugin that makes a mutant's tests quick, and keeps their memory small.

mutmut collects the tests in one process, and runs those of each mutant in a fork of it.
"""

import gc
import json
import resource
from pathlib import Path

import pytest
from hypothesis import Phase, settings

# Hypothesis tries the same examples each time, and simplifies none: to find the simplest example
# that fails takes most of the time where most mutants fail.
settings.register_profile(
    "mutants", settings.get_profile("ci"), phases=(Phase.explicit, Phase.generate)
)
settings.load_profile("mutants")

# An endless loop that fills a list ends with a MemoryError, before it takes the whole machine's.
resource.setrlimit(resource.RLIMIT_DATA, (4 * 2**30, 4 * 2**30))

STATISTICS = Path("mutmut-stats.json")  # written by mutmut's first run of all tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run those tests first that take the least time."""
    if STATISTICS.exists():
        seconds = json.loads(STATISTICS.read_text())["duration_by_test"]
        items.sort(key=lambda item: seconds.get(item.nodeid, 0.0))


def pytest_collection_finish() -> None:
    """Let the garbage collector pass over the modules that the tests import.

    A fork that looks at them copies their memory, which takes longer than most tests.
    """
    gc.freeze()
