"""What every command-line module shares: how it starts, and how it says that input is bad."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ptnl.errors import InputError

if TYPE_CHECKING:
    from ptnl.own.session import Session

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
    """Parse a command line with the options of `add_job`."""
    args = arguments.parse_args(argv)
    if len(args.shots) != len(args.out):
        raise InputError(f"{len(args.shots)} draws for {len(args.out)} run folders")
    return args


def add_backbone_files(arguments: argparse.ArgumentParser) -> None:
    """Add the options that name the files of a CLIP model."""
    arguments.add_argument(
        "--model-config", type=Path, required=True, help="open_clip configuration (JSON)"
    )
    arguments.add_argument("--weights", type=Path, required=True, help="weights (safetensors)")


def add_precision(arguments: argparse.ArgumentParser) -> None:
    """Add the option that chooses the number type of the large products."""
    arguments.add_argument(
        "--precision",
        choices=("auto", "float32"),
        default="auto",
        help="of the large products; auto: half-precision on GPUs",
    )


def number_of_shots(text: str) -> int | None:
    """Parse the value of `--shots`: a number, or `all`, which becomes None."""
    return None if text == "all" else int(text)


def add_background(arguments: argparse.ArgumentParser) -> None:
    """Add the option that chooses the background colour of transparent images."""
    arguments.add_argument(
        "--transparent-on",
        choices=("white", "black", "grey"),
        default="white",
        help="what shows through transparent images",
    )


def add_views(arguments: argparse.ArgumentParser) -> None:
    """Add the options that say how many augmented views there are and how they are made."""
    arguments.add_argument("--views", type=int, required=True, help="of each image; 0: none")
    arguments.add_argument("--transform", choices=("dassl_legacy", "dassl_current"), required=True)
    arguments.add_argument("--flips", action=argparse.BooleanOptionalAction, required=True)


def add_fetch(arguments: argparse.ArgumentParser) -> None:
    """Add the options of a command that fetches a model: where it looks, and what it writes."""
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
    """Add the options that choose the device and the number of threads."""
    arguments.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    arguments.add_argument(
        "--gpu-share",
        type=int,
        default=1,
        help="processes that may share a GPU, with --device auto",
    )
    arguments.add_argument(
        "--threads",
        type=int,
        default=1,
        help="CPU threads; another number can change the last digits",
    )


def add_session(arguments: argparse.ArgumentParser, has_backbone: bool = True) -> None:
    """Add the options of a command on the user's own images: backbone, device and cache."""
    if has_backbone:
        arguments.add_argument(
            "--backbone",
            default="mini-rn",
            help="mini-rn, mini-vit, RN50, ViT-B-32, or MODEL:TAG of open_clip",
        )
    add_precision(arguments)
    arguments.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    arguments.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="CPU threads")
    arguments.add_argument(
        "--cache",
        type=Path,
        default=Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "ptnl/features",
        help="folder of the features that were computed before",
    )


def session_of(args: argparse.Namespace) -> "Session":
    """Build the session that the options of `add_session` describe."""
    from ptnl.own.session import Session

    named = {"backbone": args.backbone} if "backbone" in args else {}
    return Session(
        **named,
        device=args.device,
        precision=args.precision,
        threads=args.threads,
        cache=args.cache.expanduser(),
    )


def add_statement(arguments: argparse.ArgumentParser) -> None:
    """Add the options of a command that writes one table about a study, as CSV and Markdown."""
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
        cure = (
            "; allow it (chmod), or ask its owner to" if isinstance(error, PermissionError) else ""
        )
        sys.exit(_fail(f"{error.filename or 'file'}: {error.strerror}{cure}"))


def _fail(sentence: str) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    return 2
