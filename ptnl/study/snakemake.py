"""Call Snakemake in this process, and hear of its jobs as structured events."""

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from ptnl.errors import InputError
from ptnl.study.config import REPOSITORY


@dataclass(frozen=True)
class Call:
    """What a user asks Snakemake for, in the order that Snakemake's parser needs.

    Snakemake takes every word behind `--configfile` or `--config` as one of their values, so
    targets come first.
    """

    overlays: Sequence[Path] = ()
    settings: Sequence[str] = ()  # key=value, as `--config` takes them
    targets: Sequence[str] = ()
    options: Sequence[str] = ()  # any others

    @property
    def arguments(self) -> list[str]:
        """The command line behind `snakemake`."""
        words = [*self.targets, "--snakefile", str(REPOSITORY / "Snakefile"), *self.options]
        if self.overlays:
            words += ["--configfile", *map(str, self.overlays)]
        if self.settings:
            words += ["--config", *self.settings]
        return words


@dataclass(frozen=True)
class Event:
    """Something that Snakemake reports (`snakemake_interface_logger_plugins.common.LogEvent`)."""

    kind: str  # job_info, job_error, progress, run_info, ...; empty for a plain message
    values: dict[str, Any] = field(default_factory=dict)
    is_error: bool = False
    message: str = ""


class _Listener(logging.Handler):
    """Hands every log record of Snakemake on as an `Event`."""

    def __init__(self, hear: Callable[[Event], None]):
        super().__init__()
        self._hear = hear

    def emit(self, record: logging.LogRecord) -> None:
        is_error = record.levelno >= logging.ERROR
        kind = str(getattr(record, "event", None) or "")
        self._hear(Event(kind, vars(record), is_error, plain(str(record.msg or ""))))


def plain(message: str) -> str:
    """An error's message; of one that the Snakefile raises, its sentence without the traceback."""
    raised = re.search(r"WorkflowError:\n +(.+)", message)
    return raised.group(1) if raised else message


@contextmanager
def _heard(hear: Callable[[Event], None]) -> Iterator[None]:
    """Listen to Snakemake's logger, and keep what Snakemake prints off the terminal."""
    logger, listener = logging.getLogger("snakemake"), _Listener(hear)
    logger.addHandler(listener)
    try:
        with (
            Path(os.devnull).open("w") as nowhere,
            redirect_stdout(nowhere),
            redirect_stderr(nowhere),
        ):
            yield
    finally:
        logger.removeHandler(listener)


def settings_of(words: Sequence[str]) -> dict[str, Any]:
    """What Snakemake reads in the words behind `--config`.

    It reads them otherwise than YAML does: False is a truth value, and false is text.

    Raises
    ------
    InputError : a word is not of the form key=value
    """
    if not words:
        return {}
    parse_config = _command_line().parse_config
    try:
        settings: dict[str, Any] = parse_config(words)
    except ValueError as error:
        raise InputError(f"--config: {error}") from error
    return settings


def _command_line() -> ModuleType:
    """Snakemake's module of its command line; it takes a second to import."""
    try:
        return import_module("snakemake.cli")
    except ImportError as error:
        raise InputError(
            "a study needs Snakemake: pip install 'ptnl-study[study]', or `make demo` in a checkout"
        ) from error


def call(asked: Call, hear: Callable[[Event], None]) -> bool:
    """Run Snakemake; whether it succeeded.

    What it would print stands in its own log, below `.snakemake/log`.
    """
    command_line = _command_line()
    with _heard(hear):
        parser, args = command_line.parse_args(asked.arguments)
        return bool(command_line.args_to_api(args, parser))
