"""Notes on a data set that are not errors, one line each in the log of a command."""

import sys
from collections.abc import Sequence

from ptnl.errors import on_one_line

EXAMPLES = 3  # at most so many names in a note


def note(sentence: str) -> None:
    """Print a note on standard error."""
    print(f"note: {on_one_line(sentence)}", file=sys.stderr)


def examples(names: Sequence[str]) -> str:
    """The first few of some names, as examples in a note."""
    return ", ".join(names[:EXAMPLES]) + (", ..." if len(names) > EXAMPLES else "")


def counted(number: int, singular: str, plural: str = "") -> str:
    """A number with the word for what it counts, in singular or plural."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"
