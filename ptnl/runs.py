"""A run's folder: what it holds, and the inputs that runs share."""

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file
from torch import Tensor

from ptnl.errors import InputError
from ptnl.grid import Run
from ptnl.io import atomic_path, write_json, write_parquet
from ptnl.schemas import HISTORY
from ptnl.tuning import TunedRun, top1_accuracy


def class_names_of(manifest: pd.DataFrame) -> list[str]:
    """Class names in order of label; a label without images is an `InputError`."""
    names = manifest.groupby("label").class_name.first()
    if list(names.index) != list(range(len(names))):
        raise InputError(f"the labels of the manifest are not 0 to {len(names) - 1}")
    return names.tolist()


def split_of(manifest: pd.DataFrame, split: str) -> tuple[Tensor, Tensor]:
    """Which images of the manifest (N) stand in a split, and the labels of those that do."""
    member = torch.tensor((manifest.split == split).tolist())
    return member, torch.tensor(manifest.label.tolist())[member]


def draw_rows(manifest: pd.DataFrame, draws: list[pd.DataFrame]) -> Tensor:
    """Rows of the manifest (R, N) at which the N images of R draws stand."""
    position = dict(zip(manifest.image, range(len(manifest)), strict=True))
    return torch.tensor([[position[image] for image in draw.image] for draw in draws])


def read_features(path: Path, images: int) -> Tensor:
    """Features (images, D) in float32, in the manifest's order."""
    try:
        features = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as an array ({error})") from error
    if len(features) != images:
        raise InputError(f"{path}: {len(features)} features for {images} images")
    return torch.from_numpy(features.astype(np.float32))


def device_name(device: torch.device) -> str:
    """The device as the run table names it."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def write_logits(logits: Tensor, folder: Path) -> None:
    """Test logits (T, C) in float16."""
    with atomic_path(folder / "logits.npy") as temporary:
        np.save(temporary, logits.half().cpu().numpy())


def read_logits(folder: Path) -> np.ndarray:
    """Test logits (T, C) of a run, in float16."""
    try:
        return np.load(folder / "logits.npy", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / 'logits.npy'}: not readable as an array ({error})") from error


def write_weights(weights: dict[str, Tensor], folder: Path) -> None:
    """The trained tensors."""
    with atomic_path(folder / "weights.safetensors") as temporary:
        save_file({name: w.cpu().contiguous() for name, w in weights.items()}, temporary)


def write_history(history: pd.DataFrame, folder: Path, made: dict) -> None:
    """The history of a run, one row an epoch."""
    write_parquet(history, folder / "history.parquet", HISTORY, made)


def run_metrics(
    folder: Path,
    run: Run,
    *,
    shots: int,
    rate_realised: float,
    accuracy: float,
    epochs: int,
    parameters: int,
    seconds: float,
    device: torch.device,
    made: dict,
) -> None:
    """The run's row of the run table, and what made it; written last of a run's files."""
    metrics = {
        **vars(run),
        "shots": shots,
        "rate": 100 * run.fp / shots,
        "rate_realised": rate_realised,
        "accuracy": accuracy,
        "epochs": epochs,
        "parameters": parameters,
        "seconds": seconds,
        "device": device_name(device),
        "commit": made["commit"],
        "torch": made["libraries"]["torch"],
        "libraries": made["libraries"],
        "settings": made["settings"],
    }
    write_json(metrics, folder / "metrics.json")


def write_run(
    folder: Path,
    run: Run,
    tuned: TunedRun,
    draw: pd.DataFrame,
    test_labels: Tensor,
    *,
    shots: int,
    epochs: int,
    seconds: float,
    device: torch.device,
    made: dict,
) -> float:
    """Every file of a trained run. Returns its top-1 accuracy on the test images, in percent."""
    logits = tuned.test_logits.cpu()
    accuracy = top1_accuracy(logits, test_labels)
    write_history(tuned.history, folder, made)
    write_weights({**tuned.weights, **tuned.buffers}, folder)
    write_logits(logits, folder)
    run_metrics(
        folder,
        run,
        shots=shots,
        rate_realised=100 * float(draw.is_noisy.mean()),
        accuracy=accuracy,
        epochs=epochs,
        parameters=tuned.parameters,
        seconds=seconds,
        device=device,
        made=made,
    )
    return accuracy
