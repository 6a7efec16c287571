"""Everything to measure on a GPU, in one call: correctness, speed, and what a study takes.

    make gpu-bench                                  # on a machine with a GPU
    make gpu-bench DEVICE=cpu                       # the same path, small, to rehearse it
    python -m tests.measurements.gpu --device cuda --out gpu --minutes 8

Each part writes its result before the next begins, and the most important come first. A part that
fails does not stop the others: a whole study needs Snakemake, the other parts do not. The summary
is `summary.md` in the folder; `--docs FILE` appends it to a page, too.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import torch

from ptnl.backbones.loading import LoadedBackbone
from ptnl.bench.step_cost import Setting, as_table, bench_backbone, class_names, measure
from ptnl.features.encode import ImageEncoder, encoded_batches
from ptnl.machine.devices import choose_device
from ptnl.machine.precision import choose_dtypes
from ptnl.methods.prompt import CONTEXT_STD
from ptnl.text import PromptEncoder, context_prompts
from ptnl.training.losses import cross_entropy
from ptnl.training.optim import train_sgd
from ptnl.training.run_files import device_name
from ptnl.training.tuning import cosine_logits
from tests.measurements.feature_extraction import photographs

ROOT = Path(__file__).parents[2]
SGD = {  # as in the paper
    "batch_size": 32,
    "learning_rate": 0.002,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "warmup_epochs": 1,
    "warmup_learning_rate": 1e-5,
}


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    backbones: tuple[str, ...]
    classes: tuple[int, ...]
    runs: tuple[int, ...]
    images: int
    repeats: int
    processes: tuple[int, ...]
    epochs: int  # of a training beside other processes
    study: str  # overlay of the embedded study that is run whole


FULL = Sizes(
    backbones=("ViT-B-32", "RN50-quickgelu", "mini-rn"),
    classes=(37, 101),
    runs=(1, 4, 16, 48),
    images=2048,
    repeats=2,
    processes=(1, 2, 4),
    epochs=40,
    study="{}",
)
SMALL = Sizes(
    backbones=("mini-rn",),
    classes=(5,),
    runs=(1, 2),
    images=16,
    repeats=1,
    processes=(1, 2),
    epochs=1,
    study=(ROOT / "workflow/studies/smoke.yaml").read_text(),
)


class Report:
    """The folder of results, and the page that sums up all parts."""

    def __init__(self, folder: Path, deadline: float):
        self.folder, self.deadline = folder, deadline
        self.parts: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)

    def part(self, title: str, work: Callable[[], str]) -> None:
        """Measure one part and write the result at once; a failure is written as the result."""
        if time.monotonic() > self.deadline:
            found = "Not measured: the time was up."
        else:
            started = time.monotonic()
            try:
                found = work()
            except Exception:
                found = f"Failed:\n\n```\n{traceback.format_exc()}```"
            found += f"\n\n({time.monotonic() - started:.0f} s)"
        self.parts.append(f"### {title}\n\n{found}\n")
        (self.folder / "summary.md").write_text("\n".join(self.parts))
        print(f"## {title}\n{found}\n", flush=True)


def checks(device: torch.device) -> str:
    """What pytest prints for `tests/gpu`."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "tests/gpu", "-p", "no:cacheprovider"],
        cwd=ROOT,
        env={**os.environ, "PTNL_TEST_DEVICE": device.type},
        capture_output=True,
        text=True,
        check=False,
    )
    return f"```\n{done.stdout[-4000:]}{done.stderr[-1000:]}```"


def study(device: torch.device, sizes: Sizes, cores: int, folder: Path) -> str:
    """Seconds that a whole study takes, from nothing to its report; its accuracies are kept."""
    with tempfile.TemporaryDirectory() as place:
        overlay = Path(place) / "study.yaml"
        overlay.write_text(sizes.study)
        call = [sys.executable, "-m", "ptnl.cli.run", "--cores", str(cores), "--study", overlay]
        chosen = "auto" if device.type == "cuda" else device.type  # `auto` shares a GPU
        options = ["--", "--config", "gpu_share=4", f"device={chosen}"]
        started = time.monotonic()
        done = subprocess.run(
            [*call, *options],
            cwd=place,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - started
        if done.returncode:
            raise RuntimeError(done.stdout[-1000:] + done.stderr[-2000:])
        (runs,) = Path(place).glob("results/*/runs.csv")
        shutil.copy(runs, folder / "runs.csv")
        count = len(pd.read_csv(runs))
    return f"{count} runs, with all tables and figures: {seconds:.0f} s on {cores} cores."


def steps(device: torch.device, sizes: Sizes, folder: Path) -> str:
    """Seconds for a step, compared with the plain reference, in float32."""
    tables = []
    for name in sizes.backbones:
        backbone = bench_backbone(name, device)
        for classes in sizes.classes:
            setting = Setting(repeats=sizes.repeats)
            tables.append(measure(backbone, classes, sizes.runs, setting))
            pd.concat(tables).to_csv(folder / "steps.csv", index=False)
    return f"```\n{as_table(pd.concat(tables, ignore_index=True))}\n```"


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def milliseconds(device: torch.device, work: Callable[[], object], calls: int) -> float:
    """Milliseconds for a call, by the clock, after a warm-up."""
    for _ in range(3):
        work()
    synchronise(device)
    started = time.perf_counter()
    for _ in range(calls):
        work()
    synchronise(device)
    return 1e3 * (time.perf_counter() - started) / calls


def step_milliseconds(
    backbone: LoadedBackbone, classes: int, runs: int, dtype: torch.dtype, epochs: int
) -> float:
    """Milliseconds for a step of prompt tuning as in a study, with 16 shots per class.

    The first epoch does not count: a GPU records its CUDA graph there.
    """
    setting, device = Setting(), backbone.device
    tower = replace(backbone.tower, dtype=dtype)
    names = class_names(backbone.tokenizer, classes)
    prompts = context_prompts(backbone.tokenizer, names, setting.context_length)
    encoder = PromptEncoder(tower, [prompt.tokens for prompt in prompts])
    context = torch.randn(runs, setting.context_length, tower.width, device=device)
    context = (CONTEXT_STD * context).requires_grad_()
    samples, clocks = 16 * classes, []
    features = torch.randn(runs, samples, tower.dimensions, device=device)
    labels = torch.randint(classes, (runs, samples), device=device)
    scale = backbone.logit_scale

    def features_at(epoch: int) -> torch.Tensor:
        synchronise(device)
        clocks.append(time.perf_counter())
        return features

    train_sgd(
        context,
        lambda context, seen: cosine_logits(seen, encoder(context), scale),
        features_at,
        labels,
        labels,
        list(range(runs)),
        cross_entropy,
        SGD | {"epochs": 1 + epochs},
    )
    synchronise(device)
    steps = epochs * (samples // min(setting.batch_size, samples))
    return 1e3 * (time.perf_counter() - clocks[1]) / steps


def types_and_graphs(device: torch.device, sizes: Sizes, folder: Path) -> str:
    """Milliseconds for a step in each number type, with and without CUDA graphs."""
    text = choose_dtypes(device, "auto").text
    middle = sizes.runs[len(sizes.runs) // 2]
    rows = []
    for name in sizes.backbones:
        backbone = bench_backbone(name, device)
        for classes in sizes.classes:
            for runs in sizes.runs:
                row = {"backbone": name, "classes": classes, "runs": runs}
                row["ms a step"] = step_milliseconds(backbone, classes, runs, text, 2)
                if runs in (1, middle):
                    row["in float32"] = step_milliseconds(backbone, classes, runs, torch.float32, 2)
                    with mock.patch("ptnl.training.steps.WARM_UP", 10**9):
                        row["without a graph"] = step_milliseconds(backbone, classes, runs, text, 1)
                row["ms a step and run"] = row["ms a step"] / runs
                rows.append(row)
                pd.DataFrame(rows).to_csv(folder / "types.csv", index=False)
    return f"```\n{pd.DataFrame(rows).round(3).to_string(index=False)}\n```"


def profile(device: torch.device, sizes: Sizes, folder: Path) -> str:
    """Where the time of a step goes: matrix products, other kernels, or waiting for the host."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiled

    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    name, classes, runs = sizes.backbones[0], sizes.classes[0], sizes.runs[len(sizes.runs) // 2]
    backbone = bench_backbone(name, device)
    text = choose_dtypes(device, "auto").text
    wall = step_milliseconds(backbone, classes, runs, text, 2)
    with profiled(activities=activities) as found:
        step_milliseconds(backbone, classes, runs, text, 1)
    steps = 2 * (16 * classes // min(Setting.batch_size, 16 * classes))
    averages = found.key_averages()
    key = "self_device_time_total" if device.type == "cuda" else "self_cpu_time_total"
    kernels = [e for e in averages if getattr(e, key) > 0]
    busy = sum(getattr(e, key) for e in kernels) / steps / 1e3
    words = ("gemm", "cutlass", "nvjet", "xmma", "mm", "linear")
    products = sum(getattr(e, key) for e in kernels if any(word in e.key.lower() for word in words))
    (folder / "profile.txt").write_text(averages.table(sort_by=key, row_limit=40))
    share = products / steps / 1e3
    return (
        f"{name}, {classes} classes, {runs} fused runs: {wall:.2f} ms a step by the clock, "
        f"{busy:.2f} ms of it computing, {share:.2f} ms in products. Details: profile.txt."
    )


def images(device: torch.device, sizes: Sizes, threads: int, folder: Path) -> str:
    """Images per second from JPEG files to features, and in the encoder alone."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        paths = photographs(Path(name), sizes.images, 500, 375)
        for backbone_name in sizes.backbones:
            backbone = bench_backbone(backbone_name, device)
            backbone.__dict__["dtype"] = choose_dtypes(device, "auto").image
            encoder = ImageEncoder(backbone)
            np.concatenate(list(encoded_batches(encoder, paths[: encoder.batch], threads)))
            started = time.perf_counter()
            count = sum(len(part) for part in encoded_batches(encoder, paths, threads))
            files = count / (time.perf_counter() - started)
            side = backbone.image_size
            pixels = torch.randint(0, 256, (encoder.batch, 3, side, side), dtype=torch.uint8)
            batch = milliseconds(device, lambda e=encoder, p=pixels: e(p), 5)
            rows.append(
                {
                    "backbone": backbone_name,
                    "threads": threads,
                    "images/s from files": round(files),
                    "images/s in the encoder": round(1e3 * len(pixels) / batch),
                }
            )
            pd.DataFrame(rows).to_csv(folder / "images.csv", index=False)
    return f"```\n{pd.DataFrame(rows).to_string(index=False)}\n```"


def processes(device: torch.device, sizes: Sizes) -> str:
    """Steps per second of several processes that train on one GPU at the same time."""
    code = """
import sys, torch
from ptnl.bench.step_cost import bench_backbone
from ptnl.machine.precision import choose_dtypes
from tests.measurements.gpu import step_milliseconds
device, name = torch.device(sys.argv[1]), sys.argv[2]
classes, runs, epochs = map(int, sys.argv[3:])
backbone, dtype = bench_backbone(name, device), choose_dtypes(device, "auto").text
step_milliseconds(backbone, classes, runs, dtype, 1)
print("ready", flush=True)
sys.stdin.readline()
print(1e3 / step_milliseconds(backbone, classes, runs, dtype, epochs))
"""
    name, classes, runs = sizes.backbones[0], sizes.classes[0], sizes.runs[len(sizes.runs) // 2]
    call = [sys.executable, "-c", code, device.type, name, classes, runs, sizes.epochs]
    rows = []
    for count in sizes.processes:
        running = [
            subprocess.Popen(
                [str(word) for word in call],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(count)
        ]
        for process in running:
            process.stdout.readline()
        for process in running:
            process.stdin.write("\n")
            process.stdin.flush()
        rates = [float(process.communicate()[0]) for process in running]
        rows.append({"processes": count, "steps/s together": round(sum(rates), 1)})
    title = f"{name}, {classes} classes, {runs} fused runs each"
    return f"{title}\n\n```\n{pd.DataFrame(rows).to_string(index=False)}\n```"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--out", type=Path, required=True, help="folder of the results")
    parser.add_argument(
        "--minutes", type=float, default=8, help="begin no part after so many minutes"
    )
    parser.add_argument("--docs", type=Path, help="page to append the summary to")
    args = parser.parse_args()
    device = choose_device(args.device)
    sizes = FULL if device.type == "cuda" else SMALL
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads if device.type == "cuda" else 1)
    report = Report(args.out, time.monotonic() + 60 * args.minutes)
    title = f"## {device_name(device)}, torch {torch.__version__}, {date.today()}"
    report.parts.append(f"{title}\n\nPython {platform.python_version()}, {threads} CPU cores.\n")
    folder = args.out
    report.part("Is it right? `tests/gpu`", lambda: checks(device))
    report.part("A whole study", lambda: study(device, sizes, threads, folder))
    report.part("Number types and CUDA graphs", lambda: types_and_graphs(device, sizes, folder))
    report.part("Profile", lambda: profile(device, sizes, folder))
    report.part("A step beside the reference", lambda: steps(device, sizes, folder))
    report.part("Images to features", lambda: images(device, sizes, threads, folder))
    report.part("Processes on one GPU", lambda: processes(device, sizes))
    (folder / "machine.json").write_text(json.dumps({"device": device_name(device)}))
    if args.docs:
        with args.docs.open("a") as page:
            page.write("\n" + (folder / "summary.md").read_text())


if __name__ == "__main__":
    main()
