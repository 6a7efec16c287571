"""Python's search for objects that can be freed, where it finds next to nothing.

Now and then Python looks through all objects for groups that nobody uses any more. Imported modules
and a study's plan are millions of objects that stay until the end: looking through them takes up to
a third of the time that Snakemake needs to plan, and a fifth of that of importing torch.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def kept() -> Iterator[None]:
    """Do not search in this block, and never again look at what there is at its end."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()


def search_rarely() -> None:
    """Search rarely in this process, and never look at what there is now."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
