"""Features that are written as they are computed: a killed job goes on where it was."""

import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from ptnl.fetch.ownership import discard, is_scratch, make_scratch, scratch_path
from ptnl.io import write_json

PERIOD = 10.0  # seconds of work that a killed call does again at most


def write_features(
    out: Path,
    shape: tuple[int, ...],
    identity: str,
    parts: Callable[[int], Iterable[np.ndarray]],
    unit: str,
) -> None:
    """Write features (..., images, D) to `out` (NPY, float16), part by part and flat in memory.

    What is done stays in a hidden folder beside `out` until all is: a call with the same `identity`
    goes on behind it, and ends with the same bytes. Images a second are shown on standard error.

    Parameters
    ----------
    shape : of the whole
    identity : of all that decides the features
    parts : done -> the features (..., n, D) of the images from `done` on, in order; `done` is 0 or
        where a part ended in an earlier call
    unit : what one feature is of, for the display
    """
    partial = scratch_path(out)
    array, checkpoint = partial / "features.npy", partial / "checkpoint.json"
    identity = json.dumps([identity, shape])
    done = _images_done(array, checkpoint, identity)
    if not done:
        discard(make_scratch(out))
        make_scratch(out)
        np.lib.format.open_memmap(array, "w+", np.float16, shape).flush()
    an_image = math.prod(shape[:-2])
    saved = time.monotonic()
    with tqdm(
        total=shape[-2] * an_image,
        initial=done * an_image,
        unit=f" {unit}s",
        mininterval=0.2 if sys.stderr.isatty() else 30,  # a log gets a line now and then
    ) as progress:
        for part in parts(done):
            # Mapped anew for each part: what stays mapped counts as memory of this process.
            np.load(array, mmap_mode="r+")[..., done : done + part.shape[-2], :] = part
            done += part.shape[-2]
            progress.update(part.shape[-2] * an_image)
            if time.monotonic() - saved > PERIOD:
                _to_disk(array)
                write_json({"identity": identity, "images": done}, checkpoint)
                saved = time.monotonic()
    if done != shape[-2]:
        raise ValueError(f"{out}: features of {done} images instead of {shape[-2]}")
    _to_disk(array)
    array.replace(out)
    discard(partial)


def _images_done(array: Path, checkpoint: Path, identity: str) -> int:
    """Images whose features a killed call with the same identity has left."""
    if not (is_scratch(array.parent) and array.exists() and checkpoint.exists()):
        return 0
    left = json.loads(checkpoint.read_text())
    return left["images"] if left["identity"] == identity else 0


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
