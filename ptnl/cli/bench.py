"""Measure what a training step of prompt tuning costs, compared with a plain implementation.

It takes about two minutes; on a CPU, large backbones with more classes and runs take much longer.
The table shows seconds for one step of one run.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch

from ptnl.analysis.figures.cost import cost_over_classes_and_runs
from ptnl.analysis.figures.style import save
from ptnl.backbones.registry import SHIPPED
from ptnl.bench.step_cost import UNTRAINED, Setting, as_table, bench_backbone, measure
from ptnl.cli.entry import PRECISIONS, add_device, parser, start
from ptnl.io import atomic_path, write_parquet
from ptnl.machine.devices import choose_device
from ptnl.machine.memory import keep_freed_memory
from ptnl.provenance import made_by
from ptnl.schemas import BENCH


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument(
        "--backbones",
        nargs="+",
        choices=(*SHIPPED, *UNTRAINED),
        default=["mini-rn", "ViT-B-32"],
        help="shipped backbones, or models of open_clip by their names, with random weights",
    )
    # Small and large backbones take about a minute each with these.
    arguments.add_argument(
        "--classes",
        nargs="+",
        type=positive,
        default=argparse.SUPPRESS,
        help="numbers of classes (default: 10 37 101 for shipped backbones, 37 for others)",
    )
    arguments.add_argument(
        "--runs",
        nargs="+",
        type=positive,
        default=argparse.SUPPRESS,
        help="numbers of runs to train side by side (default: 1 2 4 16 for shipped backbones, "
        "1 4 for others)",
    )
    arguments.add_argument(
        "--reference-classes",
        type=positive,
        default=Setting.reference_classes,
        help="time the reference on so many classes at most; for more, its text part is scaled up",
    )
    arguments.add_argument(
        "--repeats",
        type=positive,
        default=Setting.repeats,
        help="rounds, of which the fastest counts",
    )
    arguments.add_argument(
        "--precision",
        nargs="+",
        choices=PRECISIONS,
        default=["float32"],
        help="number types of our large products in training; the reference computes in float32",
    )
    arguments.add_argument("--out", type=Path, required=True, help="measurements (Parquet)")
    arguments.add_argument(
        "--plot", default=argparse.SUPPRESS, metavar="PREFIX", help="figure: PREFIX.svg, PREFIX.png"
    )
    add_device(arguments)
    args = arguments.parse_args(argv)

    keep_freed_memory()
    torch.set_num_threads(args.threads)
    device = choose_device(args.device, args.gpu_share)
    setting = Setting(reference_classes=args.reference_classes, repeats=args.repeats)
    parts = []
    for name in args.backbones:
        is_shipped = name in SHIPPED
        backbone = bench_backbone(name, device)
        for classes in getattr(args, "classes", [10, 37, 101] if is_shipped else [37]):
            print(f"{name}, {classes} classes", file=sys.stderr, flush=True)
            runs = getattr(args, "runs", [1, 2, 4, 16] if is_shipped else [1, 4])
            parts.append(measure(backbone, classes, runs, setting, args.precision))
    bench = pd.concat(parts, ignore_index=True)
    write_parquet(bench, args.out, BENCH, made_by("torch", "open-clip-torch", **vars(setting)))
    print(as_table(bench))
    if "plot" in args:
        figure = cost_over_classes_and_runs(bench)
        for suffix in ("svg", "png"):
            with atomic_path(Path(f"{args.plot}.{suffix}")) as temporary:
                save(figure, temporary, suffix)


if __name__ == "__main__":
    start(main)
