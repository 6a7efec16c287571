"""An option that takes one path per run, also from standard input, as a command line is limited."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Listed(argparse.Action):
    """Take paths from the command line or, if `-` is the only one, from standard input.

    On standard input every path ends with a zero byte, the only one that no path can contain.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        paths = list(values or ())
        if paths == [Path("-")]:
            names = os.fsdecode(sys.stdin.buffer.read()).split("\0")
            paths = [Path(name) for name in names[:-1]]
        setattr(namespace, self.dest, paths)


def add_listed(arguments: argparse.ArgumentParser, option: str, what: str) -> None:
    """Add an option that takes one path per run, on the command line or on standard input."""
    arguments.add_argument(
        option,
        type=Path,
        nargs="+",
        required=True,
        action=Listed,
        help=f"{what}; - reads them from standard input, where each ends with a zero byte",
    )
