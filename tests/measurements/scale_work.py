"""The work whose growth `tests.measurements.scale` measures: the project's code on made-up data."""

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import yaml

from ptnl.backbones.assets import FOLDER
from ptnl.bench.step_cost import bench_backbone, class_names
from ptnl.cli import pseudolabel_zeroshot
from ptnl.data import datasets_of
from ptnl.data.counting import sizes_of
from ptnl.data.splits import check_manifest, half_fifth_rest
from ptnl.features.resumable import write_features
from ptnl.io import read_parquet, write_parquet
from ptnl.labels.noise import NOISES, Request
from ptnl.labels.pseudo_labels import SELECTIONS, pseudo_shots
from ptnl.labels.sampling import draw_shots
from ptnl.provenance import names_digest
from ptnl.schemas import MANIFEST, PSEUDO_LABELS
from ptnl.study.config import REPOSITORY, read_study
from ptnl.study.estimate import Plan, make_plan
from ptnl.study.grid import runs
from ptnl.study.jobs import study_jobs
from ptnl.study.reasons import NOT_THERE
from ptnl.text import context_prompts
from ptnl.text.packing import pack
from ptnl.training.run_files import open_features
from tests.measurements.peers import CONTEXT, Ours

CLASSES = (10, 30, 100, 300, 1000)
RUNS = (1, 4, 16, 64)
IMAGES = (1_000, 10_000, 100_000, 1_000_000)
SEEDS = (
    0,
    1,
    4,
    13,
    43,
    213,
)  # some 470 runs each in the paper's study; 0: one seed on one data set
ONE = "oxford_pets"
SEEDS_OF_SNAKEMAKE = (0, 1, 4, 13, 43)
IMAGES_A_CLASS, SHOTS, FP = 50, 16, 8
CLASSES_OF_IMAGES, FEW_SHOTS = 100, 4
DIMENSIONS = 128  # of mini-rn
CPU = torch.device("cpu")


Work = Callable[[], object]


@dataclass(frozen=True)
class Curve:
    """A kind of work, and the sizes at which it is measured."""

    name: str
    axis: str
    sizes: Sequence[int]
    work_at: Callable[
        [int, Path], Work
    ]  # (size, an empty folder) -> the call or command to measure


def made_up_manifest(images: int, classes: int) -> pd.DataFrame:
    of_class = images // classes
    return half_fifth_rest(
        (label, f"class {label}", [f"{label}/{image}.jpg" for image in range(of_class)])
        for label in range(classes)
    )


def made_up_predictions(manifest: pd.DataFrame) -> pd.DataFrame:
    stream = np.random.default_rng(0)
    classes = int(manifest.label.max()) + 1
    wrong = (manifest.label + stream.integers(1, classes, len(manifest))) % classes
    is_right = stream.random(len(manifest)) < 0.7
    return manifest[["image", "split", "label"]].assign(
        label_pseudo=manifest.label.where(is_right, wrong),
        confidence=stream.random(len(manifest)),
        label_confused=wrong,
    )


def step(classes: int, count: int) -> Work:
    backbone = bench_backbone("mini-rn", CPU)
    return Ours(backbone, class_names(backbone.tokenizer, classes), count, shots=1).steps


def packing(classes: int, folder: Path) -> Work:
    tokenizer = bench_backbone("mini-rn", CPU).tokenizer
    prompts = context_prompts(tokenizer, class_names(tokenizer, classes), CONTEXT)
    return lambda: pack([prompt.tokens for prompt in prompts])


def request(manifest: pd.DataFrame, shots: int, fp: int) -> Request:
    predictions = made_up_predictions(manifest)
    return Request(manifest, draw_shots(manifest, shots, 1), shots, fp, 1, predictions)


def noise_over_classes(kind: str) -> Callable[[int, Path], Work]:
    def work_at(classes: int, folder: Path) -> Work:
        asked = request(made_up_manifest(classes * IMAGES_A_CLASS, classes), SHOTS, FP)
        return lambda: NOISES[kind].label(asked)

    return work_at


def all_noise(images: int, folder: Path) -> Work:
    asked = request(made_up_manifest(images, CLASSES_OF_IMAGES), FEW_SHOTS, FEW_SHOTS // 2)

    def work() -> None:
        for kind in NOISES.values():
            for favoured_by in ("image", "class") if kind.needs_pseudolabels else ("image",):
                kind.label(replace(asked, favoured_by=favoured_by))

    return work


def indexing(images: int, folder: Path) -> Work:
    path = folder / "manifest.parquet"

    def work() -> None:
        path.unlink(missing_ok=True)
        manifest = made_up_manifest(images, CLASSES_OF_IMAGES)
        check_manifest(manifest, None)
        write_parquet(manifest, path, MANIFEST, {})
        read_parquet(path, MANIFEST)

    return work


def drawing(images: int, folder: Path) -> Work:
    manifest = made_up_manifest(images, CLASSES_OF_IMAGES)
    return lambda: draw_shots(manifest, FEW_SHOTS, 1)


def selecting(images: int, folder: Path) -> Work:
    predictions = made_up_predictions(made_up_manifest(images, CLASSES_OF_IMAGES))
    return lambda: [pseudo_shots(predictions, kind, FEW_SHOTS, 1) for kind in SELECTIONS]


def made_up_features(names: Sequence[str], path: Path) -> None:
    block = np.random.default_rng(0).normal(size=(1000, DIMENSIONS)).astype(np.float16)
    parts = (block[: min(1000, len(names) - at)] for at in range(0, len(names), 1000))
    digest = names_digest(names)
    with redirect_stderr(StringIO()):
        write_features(path, (len(names), DIMENSIONS), "", lambda _: parts, "image", images=digest)


def writing(images: int, folder: Path) -> Work:
    names, path = [f"{image}.jpg" for image in range(images)], folder / "features.npy"

    def work() -> None:
        path.unlink(missing_ok=True)
        made_up_features(names, path)

    return work


def reading(images: int, folder: Path) -> Work:
    names, path = [f"{image}.jpg" for image in range(images)], folder / "features.npy"
    made_up_features(names, path)
    rows = torch.arange(SHOTS * CLASSES_OF_IMAGES) * images // (SHOTS * CLASSES_OF_IMAGES)
    return lambda: open_features(path, names)(rows)


def predicting(images: int, folder: Path) -> Work:
    manifest = made_up_manifest(images, CLASSES_OF_IMAGES)
    write_parquet(manifest, folder / "manifest.parquet", MANIFEST, {})
    made_up_features(manifest.image.tolist(), folder / "features.npy")
    counted = iter(range(10**6))

    def work() -> None:
        out = folder / str(next(counted))
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            pseudolabel_zeroshot.main(
                f"--manifest {folder}/manifest.parquet --features {folder}/features.npy "
                f"--dataset made_up --backbone mini-rn --model-config {FOLDER}/mini-rn.json "
                f"--weights {FOLDER}/mini-rn.safetensors --shots 4 --device cpu --threads 1 "
                f"--template {{}} --labels {out}/labels.parquet --run {out}/run".split()
            )
        read_parquet(out / "labels.parquet", PSEUDO_LABELS)

    return work


PAPER = REPOSITORY / "workflow/studies/paper.yaml"


def study_of(seeds: int, fuse: bool) -> dict:
    """Changes to the config of the paper's study."""
    said = {"seeds": list(range(1, max(1, seeds) + 1)), "fuse": fuse}
    if seeds:
        return said
    others = read_study(REPOSITORY, [PAPER], {})["dataset_methods"].keys() - {ONE}
    return said | {
        "datasets": [ONE],
        "noise": {"confusion": {"datasets": [ONE]}},
        "dataset_methods": dict.fromkeys(
            sorted(others)
        ),  # null drops an entry of the paper's config
    }


def planned_runs(seeds: int) -> int:
    return len(runs(read_study(REPOSITORY, [PAPER], study_of(seeds, True))))


def planning(fuse: bool) -> Callable[[int, Path], Work]:
    def work_at(seeds: int, folder: Path) -> Work:
        config = read_study(REPOSITORY, [PAPER], study_of(seeds, fuse))

        def plan() -> Plan:
            jobs = study_jobs(config)
            left = dict.fromkeys(jobs, NOT_THERE)
            return make_plan(config, jobs, left, sizes_of(config, datasets_of(config)), {}, [])

        return plan

    return work_at


def snakemake(fuse: bool) -> Callable[[int, Path], list[str]]:
    """The command of a dry run, in which Snakemake builds its graph and finds what to run."""

    def command_at(seeds: int, folder: Path) -> list[str]:
        overlay = folder / "study.yaml"
        overlay.write_text(yaml.safe_dump(study_of(seeds, fuse)))
        call = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "--cores", "1"]
        where = ["--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(folder)]
        return [*call, *where, "--configfile", str(PAPER), str(overlay)]

    return command_at


def curves() -> list[Curve]:
    over_classes = [
        Curve("training step", "classes", CLASSES, lambda classes, _: step(classes, 1)),
        Curve("packing of prompts", "classes", CLASSES, packing),
        *(Curve(f"noise: {k}", "classes", CLASSES, noise_over_classes(k)) for k in NOISES),
    ]
    over_images = {
        "manifest": indexing,
        "few-shot draw": drawing,
        "all kinds of noise": all_noise,
        "pseudo-labels": predicting,
        "selection of pseudo-labels": selecting,
        "features, written": writing,
        "features, of a draw": reading,
    }
    return [
        *over_classes,
        Curve("training step of all", "runs", RUNS, lambda count, _: step(37, count)),
        *(Curve(name, "images", IMAGES, work_at) for name, work_at in over_images.items()),
        Curve("ptnl plan", "planning", SEEDS, planning(True)),
        Curve("ptnl plan, fuse: false", "planning", SEEDS, planning(False)),
        Curve("snakemake -n", "planning", SEEDS_OF_SNAKEMAKE, snakemake(True)),
        Curve("snakemake -n, fuse: false", "planning", SEEDS_OF_SNAKEMAKE, snakemake(False)),
    ]
