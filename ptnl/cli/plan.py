"""Show what a study will take before it runs: jobs with reasons, downloads, disk, hours.

Nothing runs. If files of the study exist already, Snakemake decides which jobs are left, and why.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ptnl.cli.entry import add_device, parser, start
from ptnl.data import datasets_of
from ptnl.data.counting import sizes_of
from ptnl.errors import InputError
from ptnl.fetch.sources import load_sources
from ptnl.study.calibration import Rates, keep_rates, rates_file, read_rates
from ptnl.study.config import REPOSITORY, read_study
from ptnl.study.estimate import as_json, as_text, make_plan
from ptnl.study.job_files import Job
from ptnl.study.job_records import read_records
from ptnl.study.jobs import study_jobs
from ptnl.study.layouts import unfilled
from ptnl.study.places import results_folder
from ptnl.study.reasons import NOT_THERE, in_short
from ptnl.study.snakemake import Call, Event, call, settings_of


def calibrate(device: str, threads: int) -> None:
    """Measure the rates of this machine, and keep them."""
    import torch

    from ptnl.bench.machine_rates import measured_rates
    from ptnl.machine.devices import choose_device

    torch.set_num_threads(threads)
    keep_rates(Rates(**measured_rates(choose_device(device, 1))), rates_file())


def jobs_left(asked: Call, jobs: Sequence[Job], places: Mapping[str, Path]) -> dict[Job, str]:
    """The jobs that Snakemake would run, and why in short; an `InputError` where it cannot say.

    Where no file of the study is there, that is all of them, and Snakemake need not be asked.

    places : where the workflow's `<results>` and `<data>` lie
    """

    def path_of(file: str) -> str:
        for name, place in places.items():
            file = file.replace(f"<{name}>", str(place))
        return os.path.normpath(file)

    job_of = {path_of(file): job for job in jobs for file in job.outputs}
    if not any(Path(path).exists() for path in job_of):
        return dict.fromkeys(jobs, NOT_THERE)
    left: dict[Job, str] = {}
    errors: list[str] = []

    def hear(event: Event) -> None:
        if event.kind == "job_info" and event.values["output"]:  # a target by name has none
            job = job_of[os.path.normpath(event.values["output"][0])]
            left[job] = in_short(event.values["reason"])
        elif event.is_error:
            errors.append(event.message)

    if not call(asked, hear):
        raise InputError("\n".join(errors))
    return left


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument(
        "--study",
        "--configfile",
        dest="studies",
        type=Path,
        nargs="+",
        default=[],
        help="overlays of config.yaml, as for snakemake",
    )
    arguments.add_argument(
        "--config", nargs="+", default=[], metavar="KEY=VALUE", help="settings, as for snakemake"
    )
    arguments.add_argument(
        "--calibrate",
        action="store_true",
        help="measure the rates of this machine, and use them in all later plans",
    )
    arguments.add_argument("--json", action="store_true", help="print the plan as JSON")
    add_device(arguments)
    args = arguments.parse_args(argv)

    config = read_study(REPOSITORY, args.studies, settings_of(args.config))
    if args.calibrate:
        calibrate(args.device, args.threads)
    results = results_folder(config)
    data = Path(config.get("pathvars", {}).get("data", config["data_root"]))
    dry_run = Call(args.studies, args.config, options=["--dry-run", "--cores", "1", "--nolock"])
    jobs = study_jobs(config)
    left = jobs_left(dry_run, jobs, {"results": results, "data": data})

    rates = read_rates(rates_file())
    plan = make_plan(
        config,
        jobs,
        left,
        sizes_of(config, datasets_of(config)),
        read_records(results / "logs"),
        load_sources(*map(Path, config["sources"])).values(),
        rates.machine() if rates else None,
    )
    if args.json:
        print(json.dumps(as_json(plan), indent=2))
        return
    print(as_text(plan))
    if sentences := unfilled(config):
        print(
            f"{len(sentences)} tables and figures of the paper are not made, for example: "
            f"{sentences[0]}"
        )


if __name__ == "__main__":
    start(main)
