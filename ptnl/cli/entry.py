"""What all commands share: common options, how they start, and how they report bad input."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ptnl.errors import InputError
from ptnl.machine.garbage import kept
from ptnl.machine.threads import usable_threads

if TYPE_CHECKING:
    from ptnl.own.session import Session

Main = Callable[[Sequence[str] | None], None]


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the defaults of options, unless they are empty or the help text names them itself."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        is_empty = action.default is False or action.default in (None, "", [], {})
        if is_empty or "(default:" in (action.help or ""):
            return action.help
        return super()._get_help_string(action)


def parser(module_doc: str) -> argparse.ArgumentParser:
    """A parser whose help shows the module's docstring."""
    return argparse.ArgumentParser(description=module_doc, formatter_class=_Help)


def add_job(arguments: argparse.ArgumentParser) -> None:
    """Add the options of a command that trains the runs of a job."""
    arguments.add_argument(
        "--settings",
        type=json.loads,
        required=True,
        help="hyper-parameters (JSON), as in the config",
    )
    arguments.add_argument("--dataset", required=True)
    arguments.add_argument("--backbone", required=True)
    arguments.add_argument("--manifest", type=Path, required=True)
    arguments.add_argument(
        "--shots", type=Path, nargs="+", required=True, help="labelled draws (Parquet), one per run"
    )
    arguments.add_argument(
        "--out",
        type=Path,
        nargs="+",
        required=True,
        help="folders of the runs, in the order of the draws",
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


PRECISIONS = ("auto", "float32", "bfloat16")  # see `ptnl.machine.precision`, which imports torch


def add_precision(arguments: argparse.ArgumentParser) -> None:
    """Add the option that chooses the number type of large matrix products."""
    arguments.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="auto",
        help="number type of large products; auto: half precision on GPUs, float32 on CPUs; "
        "bfloat16: in training on a CPU, too, where it multiplies that in hardware",
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
        help="background of transparent images",
    )


def add_views(arguments: argparse.ArgumentParser) -> None:
    """Add the options that say how many augmented views there are and how they are made."""
    arguments.add_argument(
        "--views", type=int, required=True, help="how many views of each image; 0: none"
    )
    arguments.add_argument("--transform", choices=("dassl_legacy", "dassl_current"), required=True)
    arguments.add_argument("--flips", action=argparse.BooleanOptionalAction, required=True)


def add_fetch(arguments: argparse.ArgumentParser) -> None:
    """Add the options of a command that fetches a model."""
    arguments.add_argument(
        "--downloads", type=Path, required=True, help="folder that keeps downloaded files"
    )
    arguments.add_argument(
        "--manual", type=Path, required=True, help="folder of files that you put there by hand"
    )
    arguments.add_argument("--config", type=Path, required=True, help="configuration (JSON)")
    arguments.add_argument("--weights", type=Path, required=True, help="weights (safetensors)")
    arguments.add_argument(
        "--receipt",
        type=Path,
        required=True,
        help="receipt that says where the model is from (JSON)",
    )


def add_device(arguments: argparse.ArgumentParser) -> None:
    """Add the options that choose the device and the number of threads."""
    arguments.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    arguments.add_argument(
        "--gpu-share",
        type=int,
        default=1,
        help="how many processes may share a GPU, with --device auto",
    )
    arguments.add_argument(
        "--threads",
        type=int,
        default=1,
        help="CPU threads; another number may change the last digits of results",
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
    arguments.add_argument(
        "--threads",
        type=int,
        default=usable_threads(),
        help="CPU threads; by default OMP_NUM_THREADS, or the CPUs that this process may use",
    )
    arguments.add_argument(
        "--cache",
        type=Path,
        default=Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "ptnl/features",
        help="folder for computed features, to use them again",
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


FULL_GPU = (
    "the GPU's memory is full; let fewer processes share it (gpu_share: 1), train fewer runs side "
    "by side (fuse: false), or use the CPU (device: cpu)"
)


def start_command(name: str) -> None:
    """Import a command, `ptnl.cli.<name>`, and run it."""
    with kept():
        module = import_module(f"ptnl.cli.{name}")
    start(module.main)


def start(main: Main) -> None:
    """Run a command; bad input is one sentence on standard error and exit status 2.

    So is a GPU whose memory is full.
    """
    try:
        main(None)
    except InputError as error:
        sys.exit(_fail(str(error)))
    except RuntimeError as error:
        # Compare the name of torch's error: importing torch for its type would take seconds.
        if type(error).__name__ != "OutOfMemoryError":
            raise
        sys.exit(_fail(FULL_GPU))
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
