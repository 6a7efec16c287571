"""Run a study by Snakemake, with a progress line.

At the end it says where the results are, or which jobs failed and where their logs are. Arguments
after `--` are passed to Snakemake unchanged: ptnl run -- --resources gpu=2
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from tqdm import tqdm

from ptnl.cli.entry import parser, start
from ptnl.study.config import REPOSITORY, read_study
from ptnl.study.places import results_folder
from ptnl.study.snakemake import Call, Event, call

LINES_OF_LOG = 10  # shown from the end of a failed job's log
SECONDS_BETWEEN_LINES = 30.0  # between progress lines if the output is no terminal


@dataclass
class Watch:
    """What Snakemake has reported: progress, and errors."""

    study: str
    bar: "tqdm[NoReturn] | None" = None  # None until the number of jobs is known
    jobs: dict[int, str] = field(
        default_factory=dict
    )  # number -> name of every job that was started
    failed: list[Mapping[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def done(self) -> int:
        """Jobs that are done."""
        return int(self.bar.n) if self.bar is not None else 0

    def hear(self, event: Event) -> None:
        """Record an event that Snakemake reports."""
        if event.kind == "run_info":
            self.bar = self._progress_line(event.values["stats"]["total"])
        elif event.kind == "job_info":
            self.jobs[event.values["jobid"]] = job = _job(event.values)
            if self.bar is not None:
                self.bar.set_postfix_str(job, refresh=False)
        elif event.kind == "progress" and self.bar is not None:
            self.bar.update(event.values["done"] - self.bar.n)
        elif event.kind == "job_error":
            self.failed.append(event.values)
        elif event.is_error:
            self.errors.append(event.message)

    def close(self) -> None:
        """End the progress line."""
        if self.bar is not None:
            self.bar.set_postfix_str("")
            self.bar.close()

    def _progress_line(self, jobs: int) -> "tqdm[NoReturn]":
        # sys.stderr is redirected while Snakemake runs, so the line goes to the original stream.
        out = sys.__stderr__
        between = 0.1 if out is not None and out.isatty() else SECONDS_BETWEEN_LINES
        return tqdm(total=jobs, desc=self.study, unit="job", file=out, mininterval=between)


def _job(values: Mapping[str, Any]) -> str:
    """The name of a job: its rule and wildcards."""
    return " ".join([values["rule_name"], *map(str, (values["wildcards"] or {}).values())])


def tail(log: Path) -> list[str]:
    """The last lines of a log; none if there is no such file."""
    if not log.is_file():
        return []
    return log.read_text(errors="replace").splitlines()[-LINES_OF_LOG:]


def said_of_failures(watch: Watch) -> str:
    """The failed jobs with the ends of their logs; if no job failed, Snakemake's errors."""
    lines: list[str] = []
    for job in watch.failed:
        lines.append(f"failed: {watch.jobs[job['jobid']]}")
        for log in job["log"] or ():
            lines += [f"  log: {log}", *(f"    {line}" for line in tail(Path(log)))]
    return "\n".join(lines or watch.errors)


def profile_of(name: str) -> str:
    """The folder of a profile, given as such or as a name in the checkout's `profiles`."""
    shipped = REPOSITORY / "profiles" / name
    return str(shipped) if shipped.is_dir() else name


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument(
        "targets", nargs="*", help="table1, figure2, report, or a file (default: everything)"
    )
    arguments.add_argument(
        "--study",
        dest="studies",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="overlay of config.yaml, such as mine.yaml; later overlays override earlier ones",
    )
    arguments.add_argument(
        "--cores", default=argparse.SUPPRESS, help="CPU cores to use (default: all)"
    )
    arguments.add_argument(
        "--profile", default=argparse.SUPPRESS, help="gpu, slurm, or a folder with your own profile"
    )
    words = list(sys.argv[1:] if argv is None else argv)
    cut = words.index("--") if "--" in words else len(words)
    args = arguments.parse_args(words[:cut])

    config = read_study(REPOSITORY, args.studies, {})
    options = words[cut + 1 :]
    if "profile" in args:
        options += ["--profile", profile_of(args.profile)]
    if "cores" in args or "profile" not in args:
        options += ["--cores", getattr(args, "cores", "all")]
    watch = Watch(config["study"])
    succeeded = call(Call(args.studies, targets=args.targets, options=options), watch.hear)
    watch.close()
    if not succeeded:
        print(said_of_failures(watch), file=sys.stderr)
        sys.exit(1)
    results = results_folder(config)
    done = f"{watch.done} jobs done" if watch.done else "Everything is up to date"
    print(f"{done}. Results: {results}/")
    if (report := results / "report.html").exists():
        print(f"Report: {report}")


if __name__ == "__main__":
    start(main)
