"""Run a command as a job of the workflow, through the job server if one runs.

    python -m ptnl.cli.job --record logs/make_table/1.log make_table --table 1 ...
    python -m ptnl.cli.job --serve SOCKET

The commands and their options are those of `ptnl`. With --record, a job's time and memory are
written beside its log. The server runs until its standard input ends (see
`ptnl.machine.job_server`).
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ptnl.machine.job_server import ADDRESS, ask, run_here, serve
from ptnl.temporary import temporary_beside

# The server first imports what all jobs need, then what training on features needs, then image
# encoders.
PHASES = (
    ("ptnl.cli.collect_runs", "ptnl.cli.make_table", "ptnl.cli.inject_noise"),
    (
        "ptnl.cli.tune_method",
        "ptnl.cli.evaluate_random_prompts",
        "ptnl.text.tokenizer:clip_tokenizer",
    ),
    (
        "ptnl.cli.plot_figure",
        "matplotlib.backends.backend_pdf",
        "ptnl.cli.check_claims",
        "ptnl.cli.write_report",
    ),
    ("ptnl.cli.encode_images", "ptnl.cli.finetune_backbone"),
)


def main(argv: Sequence[str] | None = None) -> None:
    arguments = list(sys.argv[1:] if argv is None else argv)
    option, value = "", ""
    if arguments[:1] in (["--serve"], ["--record"]) and len(arguments) > 1:
        option, value, *arguments = arguments
    if option == "--serve":
        serve(Path(value), run, PHASES)
    if not arguments or arguments[0].startswith("-"):
        sys.exit(__doc__)
    started = time.monotonic()
    ended = ask(Path(os.environ[ADDRESS]), arguments) if ADDRESS in os.environ else None
    if ended is None:
        ended = run_here(run, arguments)
    if option == "--record" and ended.status == 0:
        write_record(Path(value).with_suffix(".tsv"), time.monotonic() - started, ended.memory)
    sys.exit(ended.status)


def run(arguments: Sequence[str]) -> None:
    """Run a command of `ptnl` in this process."""
    from ptnl.cli.entry import start_command

    command, *options = arguments
    sys.argv = [f"ptnl {command}", *options]
    start_command(command)


def write_record(path: Path, seconds: float, memory: int) -> None:
    """Write a job's seconds and peak memory (MiB) to a file. Exits with 2 on a full disk."""
    # `ptnl.io` is not used, because the caller of the job server must not import numpy or pandas.
    try:
        with temporary_beside(path) as temporary:
            temporary.write_text(f"s\tmax_rss\n{seconds:.3f}\t{memory / 2**20:.2f}\n")
    except OSError as error:
        print(f"error: {path}: cannot be written ({error.strerror})", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
