"""Say what a study will take before it runs: jobs and runs, downloads, disk, hours.

It counts the jobs whose files are missing, as Snakemake would; what was edited since, only
`snakemake -n` knows.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ptnl.cli.entry import add_device, parser, start
from ptnl.errors import InputError
from ptnl.fetch.sources import load_sources
from ptnl.study.config import REPOSITORY, read_study
from ptnl.study.disk import existence
from ptnl.study.estimate import Machine, as_json, as_text, make_plan, of_peak
from ptnl.study.job_records import read_records
from ptnl.study.layouts import unfilled
from ptnl.study.places import results_folder


def key_and_value(text: str) -> tuple[str, Any]:
    key, sign, value = text.partition("=")
    if not sign:
        raise InputError(f"--config {text}: is not of the form key=value")
    return key, yaml.safe_load(value)


def calibrated(device: str, threads: int) -> Machine:
    """Measure this machine by the rate at which it multiplies large matrices."""
    import torch

    from ptnl.bench.measure import product_gflops
    from ptnl.machine.devices import choose_device
    from ptnl.training.run_files import device_name

    torch.set_num_threads(threads)
    chosen = choose_device(device, 1)
    where = f"{device_name(chosen)}, {threads} threads" if chosen.type == "cpu" else ""
    return of_peak(
        "here",
        product_gflops(chosen),
        f"of a matrix product on this machine's {where or device_name(chosen)}",
    )


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument(
        "--configfile", type=Path, nargs="+", default=[], help="as given to snakemake"
    )
    arguments.add_argument(
        "--config", nargs="+", default=[], metavar="KEY=VALUE", help="as given to snakemake"
    )
    arguments.add_argument(
        "--calibrate", action="store_true", help="measure this machine, where no job has run yet"
    )
    arguments.add_argument("--json", action="store_true", help="for machines")
    add_device(arguments)
    args = arguments.parse_args(argv)

    config = read_study(REPOSITORY, args.configfile, dict(map(key_and_value, args.config)))
    results = results_folder(config)
    data = Path(config.get("pathvars", {}).get("data", config["data_root"]))
    plan = make_plan(
        config,
        existence(results, data),
        read_records(results / "logs"),
        load_sources(*map(Path, config["sources"])).values(),
        calibrated(args.device, args.threads) if args.calibrate else None,
    )
    if args.json:
        print(json.dumps(as_json(plan), indent=2))
    else:
        print("\n".join([as_text(plan), *unfilled(config)]))


if __name__ == "__main__":
    start(main)
