"""What every command-line module shares: how it starts, and how it says that input is bad."""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from ptnl.errors import InputError

Main = Callable[[Sequence[str] | None], None]


def parser(module_doc: str) -> argparse.ArgumentParser:
    """A parser that introduces itself with the module's docstring."""
    return argparse.ArgumentParser(
        description=module_doc, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )


def add_device(arguments: argparse.ArgumentParser) -> None:
    """The options of everything that computes: where, and with how many threads."""
    arguments.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    arguments.add_argument(
        "--threads", type=int, default=1, help="CPU threads; results are stated for 1"
    )


def add_backbone(arguments: argparse.ArgumentParser) -> None:
    """The options of everything that loads a CLIP model: which, its files, and how it computes."""
    arguments.add_argument("--backbone", required=True, help="its name in the study")
    arguments.add_argument(
        "--model-config", type=Path, required=True, help="open_clip configuration (JSON)"
    )
    arguments.add_argument("--weights", type=Path, required=True, help="weights (safetensors)")
    arguments.add_argument(
        "--precision",
        choices=("auto", "float32"),
        default="auto",
        help="of large products; auto: half-precision on GPUs",
    )
    add_device(arguments)


def start(main: Main) -> None:
    """Run a command; bad input is one sentence on standard error and exit status 2."""
    try:
        main(None)
    except InputError as error:
        sys.exit(_fail(str(error)))
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        sys.exit(_fail(f"{error.filename or 'file'}: {error.strerror}"))


def _fail(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    return 2
