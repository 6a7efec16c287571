"""Reading and writing a run's folder, and reading the inputs that runs share."""

import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import torch
from torch import Tensor

from ptnl.errors import InputError
from ptnl.io import (
    array_about,
    damaged,
    read_array,
    read_metadata,
    read_parquet,
    write_array,
    write_json,
    write_parquet,
    write_tensors,
)
from ptnl.provenance import names_digest
from ptnl.schemas import HISTORY, NOISY_SHOTS, VIEW_IMAGES
from ptnl.training.run import Run
from ptnl.training.tuning import TunedRun, top1_accuracy


@dataclass(frozen=True)
class LabelledDraw:
    """The training images of one run with the labels that it sees, and how they were made."""

    rows: pd.DataFrame  # see `ptnl.schemas.NOISY_SHOTS`
    noise: str
    fp: int
    seed: int
    shots: int


def read_draw(path: Path) -> LabelledDraw:
    """Read a labelled draw that `inject_noise` or `sample_pseudolabels` wrote."""
    asked = read_metadata(path)["settings"]
    origin = {name: asked[name] for name in ("noise", "fp", "seed", "shots")}
    return LabelledDraw(read_parquet(path, NOISY_SHOTS), **origin)


def class_names_of(manifest: pd.DataFrame) -> list[str]:
    """Class names in order of label; a label without images is an `InputError`."""
    names = manifest.groupby("label").class_name.first()
    if list(names.index) != list(range(len(names))):
        raise InputError(f"the labels of the manifest are not 0 to {len(names) - 1}")
    return names.tolist()


def split_of(manifest: pd.DataFrame, split: str) -> tuple[Tensor, Tensor]:
    """Which images of the manifest (N) are in a split, and the labels of those."""
    member = torch.tensor((manifest.split == split).tolist())
    return member, torch.tensor(manifest.label.tolist())[member]


def draw_rows(manifest: pd.DataFrame, draws: list[pd.DataFrame]) -> Tensor:
    """Rows of the manifest (R, N) that hold the N images of R draws."""
    position = dict(zip(manifest.image, range(len(manifest)), strict=True))
    unknown = [image for draw in draws for image in draw.image if image not in position]
    if unknown:
        raise InputError(f"{unknown[0]}: in a draw, but not in the manifest; make the draw anew")
    return torch.tensor([[position[image] for image in draw.image] for draw in draws])


def _mapped(path: Path, ndim: int, images: Sequence[str] | pd.Series) -> np.ndarray:
    """Map features (..., images, D) from the disk; checks that they are of these images."""
    features = read_array(path, ndim, mapped=True)
    if features.shape[-2] != len(images):
        raise InputError(f"{path}: {features.shape[-2]} features for {len(images)} images")
    if array_about(path).get("images") != names_digest(images):
        raise damaged(path, "it holds features of other images, or in another order")
    return features


def open_features(path: Path, images: Sequence[str] | pd.Series) -> Callable[[Tensor], Tensor]:
    """A function that reads features of images, in the manifest's order: rows (...) -> (..., D).

    Features are float32. Only rows that are asked for are read from the disk: of ImageNet's 1.3
    million images, a training job needs 66,000. Features that are not finite (the image encoder
    left float16's range) are an `InputError`.
    """
    array = _mapped(path, 2, images)

    def features_of(rows: Tensor) -> Tensor:
        features = torch.from_numpy(array[rows.numpy()].astype(np.float32))
        if not features.isfinite().all():
            raise InputError(
                f"{path}: features that are not finite; encode the images with precision float32"
            )
        if (empty := (features == 0).all(dim=-1)).any():
            image = int(rows[empty][0]) + 1
            raise damaged(path, f"the features of image {image} are all zero")
        return features

    return features_of


def read_views(
    files: Sequence[tuple[Path, Path]],
    seeds: Sequence[int],
    draws: Sequence[pd.DataFrame],
    device: torch.device,
) -> Callable[[int], Tensor]:
    """A function that reads the training features of R runs: epoch, counted from 0 -> (R, N, D).

    Features are float32 and on the device. Only the epoch that is asked for is read from the disk;
    after the last view, the first is used again.

    Parameters
    ----------
    files : features (NPY) and images (Parquet) of each seed's views, in any order
    seeds : R seeds
    draws : R draws of N images
    """
    views = {}
    for path, index in files:
        images = read_parquet(index, VIEW_IMAGES).image.tolist()
        position = dict(zip(images, range(len(images)), strict=True))
        views[read_metadata(index)["settings"]["seed"]] = _mapped(path, 3, images), position
    runs = []
    for seed, draw in zip(seeds, draws, strict=True):
        if seed not in views:
            raise InputError(f"no augmented views for seed {seed}")
        features, position = views[seed]
        runs.append((features, [position[image] for image in draw.image]))

    def of_epoch(epoch: int) -> Tensor:
        seen = [features[epoch % len(features)][rows] for features, rows in runs]
        return torch.from_numpy(np.stack(seen)).to(device).float()

    return of_epoch


def device_name(device: torch.device) -> str:
    """The name of the device in the run table."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


@dataclass(frozen=True)
class JobCost:
    """Time and memory of a job, for all of its runs together."""

    job_runs: int
    job_seconds: float
    memory_gib: float  # peak of the process
    device: str
    device_gib: float  # peak of tensors on the GPU; 0 on the CPU


def job_cost(runs: int, device: torch.device) -> JobCost:
    """Time and memory of this process since its start, imports included."""
    on_gpu = device.type == "cuda"
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes there, else KiB
    return JobCost(
        job_runs=runs,
        job_seconds=time.time() - psutil.Process().create_time(),
        memory_gib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30,
        device=device_name(device),
        device_gib=torch.cuda.max_memory_allocated(device) / 2**30 if on_gpu else 0.0,
    )


def write_logits(logits: Tensor, folder: Path) -> None:
    """Write test logits (T, C) in float16."""
    write_array(logits.half().cpu().numpy(), folder / "logits.npy")


def read_logits(folder: Path) -> np.ndarray:
    """Read the test logits (T, C) of a run, in float16."""
    return read_array(folder / "logits.npy", 2)


def write_weights(weights: dict[str, Tensor], folder: Path) -> None:
    """Write the trained tensors."""
    write_tensors(weights, folder / "weights.safetensors")


def write_history(history: pd.DataFrame, folder: Path, made: dict[str, Any]) -> None:
    """Write the history of a run, one row per epoch."""
    write_parquet(history, folder / "history.parquet", HISTORY, made)


def run_metrics(
    folder: Path,
    run: Run,
    *,
    shots: int,
    rate_realised: float,
    shots_per_class: float,
    accuracy: float,
    epochs: int,
    parameters: int,
    cost: JobCost,
    made: dict[str, Any],
) -> None:
    """Write the run's row of the run table, and what made it; this is the last file of a run."""
    metrics = {
        **vars(run),
        "shots": shots,
        "rate": 100 * run.fp / shots,
        "rate_realised": rate_realised,
        "shots_per_class": shots_per_class,
        "accuracy": accuracy,
        "epochs": epochs,
        "parameters": parameters,
        **vars(cost),
        "commit": made["commit"],
        "torch": made["libraries"]["torch"],
        "libraries": made["libraries"],
        "settings": made["settings"],
    }
    write_json(metrics, folder / "metrics.json")


def write_runs(
    folders: Sequence[Path],
    sweep: tuple[str, str, str],
    draws: Sequence[LabelledDraw],
    tuned: Sequence[TunedRun],
    test_labels: Tensor,
    *,
    classes: int,
    epochs: int,
    cost: JobCost,
    made: dict[str, Any],
) -> None:
    """Write all files of the runs of a job, and print each run's accuracy.

    `sweep` is their data set, backbone and method. A model may have more outputs than the data set
    has `classes`; a prediction of one of the others is wrong.
    """
    *_, method = sweep
    for folder, draw, run in zip(folders, draws, tuned, strict=True):
        logits = run.test_logits.cpu()
        accuracy = top1_accuracy(logits, test_labels)
        write_history(run.history, folder, made)
        write_weights({**run.weights, **run.buffers}, folder)
        write_logits(logits, folder)
        run_metrics(
            folder,
            Run(*sweep, draw.noise, draw.fp, draw.seed),
            shots=draw.shots,
            rate_realised=100 * float(draw.rows.is_noisy.mean()),
            shots_per_class=draw.rows.image.nunique() / classes,
            accuracy=accuracy,
            epochs=epochs,
            parameters=run.parameters,
            cost=cost,
            made=made,
        )
        print(f"{method} fp {draw.fp} seed {draw.seed}: {accuracy:.2f} %")
