"""Notes on a data set that are no errors: one line each, in the command's log."""

import sys
from collections.abc import Sequence

from ptnl.errors import on_one_line

EXAMPLES = 3  # names in a note


def note(sentence: str) -> None:
    """Print a note on standard error."""
    print(f"note: {on_one_line(sentence)}", file=sys.stderr)


def examples(names: Sequence[str]) -> str:
    """The first of some names, for a note that counts them."""
    return ", ".join(names[:EXAMPLES]) + (", ..." if len(names) > EXAMPLES else "")


def counted(number: int, singular: str, plural: str = "") -> str:
    """A number and what it counts."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
