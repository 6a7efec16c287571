"""An option for one path a run, also from standard input: many paths do not fit a command line."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Listed(argparse.Action):
    """Paths from the command line or, for `-` alone, from standard input.

    On standard input a zero byte ends each path, because a path may contain any other character.
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
    """Add an option that takes one path a run, on the command line or on standard input."""
    arguments.add_argument(
        option,
        type=Path,
        nargs="+",
        required=True,
        action=Listed,
        help=f"{what}; -: as standard input names them, a zero byte after each",
    )
