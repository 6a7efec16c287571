"""Say what a study will take before it runs: jobs and runs, downloads, disk, hours.

It counts as Snakemake would, by files that are there or not; what was edited since, only
`snakemake -n` knows.
"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from ptnl.cli.entry import add_device, parser, start
from ptnl.errors import InputError
from ptnl.fetch.sources import load_sources
from ptnl.study.config import REPOSITORY, read_study
from ptnl.study.estimate import Machine, as_json, as_text, make_plan, of_peak
from ptnl.study.job_records import read_benchmarks
from ptnl.study.layouts import left_out


def key_and_value(text: str) -> tuple[str, Any]:
    key, sign, value = text.partition("=")
    if not sign:
        raise InputError(f"--config {text}: is not of the form key=value")
    return key, yaml.safe_load(value)


def files_below(folder: Path) -> set[str]:
    """Every file below a folder, relative to it."""
    return {
        os.path.relpath(Path(parent, name), folder)
        for parent, _, names in os.walk(folder)
        for name in names
    }


def calibrated(device: str, threads: int) -> Machine:
    """The machine that it runs on, by the rate of a product of large matrices."""
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
    pathvars = config.get("pathvars", {})
    results = Path(pathvars.get("results", f"results/{config['study']}"))
    data = Path(pathvars.get("data", config["data_root"]))
    there = files_below(results)

    def exists(file: str) -> bool:
        root, _, path = file.partition("/")
        return path in there if root == "<results>" else (data / path).exists()

    plan = make_plan(
        config,
        exists,
        read_benchmarks(results / "benchmarks"),
        load_sources(*map(Path, config["sources"])).values(),
        calibrated(args.device, args.threads) if args.calibrate else None,
    )
    if args.json:
        print(json.dumps(as_json(plan), indent=2))
    else:
        print("\n".join([as_text(plan), *left_out(config)]))


if __name__ == "__main__":
    start(main)
