"""What every command-line module shares: how it starts, and how it says that input is bad."""

import argparse
import json
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


def add_job(arguments: argparse.ArgumentParser) -> None:
    """The options of a command that trains the runs of a job: on what, how, and where to."""
    arguments.add_argument("--settings", type=json.loads, required=True, help="JSON, as in config")
    arguments.add_argument("--dataset", required=True)
    arguments.add_argument("--backbone", required=True)
    arguments.add_argument("--manifest", type=Path, required=True)
    arguments.add_argument(
        "--shots", type=Path, nargs="+", required=True, help="labelled draws, one a run"
    )
    arguments.add_argument(
        "--out", type=Path, nargs="+", required=True, help="folders, one a run, in their order"
    )
    add_device(arguments)


def parse_job(arguments: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """What was said on a command line with the options of `add_job`."""
    args = arguments.parse_args(argv)
    if len(args.shots) != len(args.out):
        raise InputError(f"{len(args.shots)} draws for {len(args.out)} run folders")
    return args


def add_backbone_files(arguments: argparse.ArgumentParser) -> None:
    """The options of everything that loads a CLIP model: its files."""
    arguments.add_argument(
        "--model-config", type=Path, required=True, help="open_clip configuration (JSON)"
    )
    arguments.add_argument("--weights", type=Path, required=True, help="weights (safetensors)")


def add_precision(arguments: argparse.ArgumentParser) -> None:
    """The option of what encodes images or trains prompts: in which number type."""
    arguments.add_argument(
        "--precision",
        choices=("auto", "float32"),
        default="auto",
        help="of the large products; auto: half-precision on GPUs",
    )


def number_of_shots(text: str) -> int | None:
    """The value of an option `--shots`: a number, or `all` as None."""
    return None if text == "all" else int(text)


def add_background(arguments: argparse.ArgumentParser) -> None:
    """The option of what decodes images: on which colour transparent ones stand."""
    arguments.add_argument(
        "--transparent-on",
        choices=("white", "black", "grey"),
        default="white",
        help="what shows through transparent images",
    )


def add_fetch(arguments: argparse.ArgumentParser) -> None:
    """The options of a command that fetches a model: where files may lie, and what it leaves."""
    arguments.add_argument(
        "--downloads", type=Path, required=True, help="folder that keeps what was downloaded"
    )
    arguments.add_argument(
        "--manual", type=Path, required=True, help="folder of files that you got by hand"
    )
    arguments.add_argument("--config", type=Path, required=True, help="configuration (JSON)")
    arguments.add_argument("--weights", type=Path, required=True, help="weights (safetensors)")
    arguments.add_argument("--receipt", type=Path, required=True, help="where from (JSON)")


def add_device(arguments: argparse.ArgumentParser) -> None:
    """The options of everything that computes: where, and with how many threads."""
    arguments.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    arguments.add_argument(
        "--gpu-share",
        type=int,
        default=1,
        help="processes that may share a GPU, with --device auto",
    )
    arguments.add_argument(
        "--threads", type=int, default=1, help="CPU threads; results are stated for 1"
    )


def add_statement(arguments: argparse.ArgumentParser) -> None:
    """The options of a command that tabulates one thing about a study, as CSV and in words."""
    arguments.add_argument("--study", required=True, help="name of the study, for the caption")
    arguments.add_argument("--csv", type=Path, required=True)
    arguments.add_argument("--markdown", type=Path, required=True)


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
