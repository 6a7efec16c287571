"""Features that are written as they are computed: a killed job goes on where it was."""

import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ptnl.fetch.disk import require_space
from ptnl.fetch.locking import locked
from ptnl.fetch.ownership import discard, is_scratch, make_scratch, require_scratch, scratch_path
from ptnl.io import end_array, naming, read_json, require_own, write_json

ENDING = 4096  # bytes reserved at the file's end for its metadata and seal
PERIOD = 10.0  # seconds of work that a killed call does again at most


def write_features(
    out: Path,
    shape: tuple[int, ...],
    identity: str,
    parts: Callable[[int], Iterable[np.ndarray]],
    unit: str,
    **about: Any,
) -> None:
    """Write features (..., images, D) to `out` (NPY, float16), part by part and flat in memory.

    What is done stays in a hidden folder beside `out` until all is: a call with the same `identity`
    goes on behind it, and ends with the same bytes. A second process that is to write the same file
    waits for the first. Images a second are shown on standard error.

    Parameters
    ----------
    shape : of the whole
    identity : of all that decides the features
    parts : done -> the features (..., n, D) of the images from `done` on, in order; `done` is 0 or
        where a part ended in an earlier call
    unit : what one feature is of, for the display
    about : what the file says of itself (`ptnl.io.end_array`)

    Raises
    ------
    InputError : where the disk has no room for all of it, before anything is computed; or where
        something at `out` is not ptnl's
    """
    require_own(out)
    require_scratch(out)
    lock = out.with_name(f".{out.name}.lock")
    with locked(lock, lambda: print(f"{out}: another process writes it; waiting"), stays=False):
        _write_locked(out, shape, identity, parts, unit, about)


def _write_locked(
    out: Path,
    shape: tuple[int, ...],
    identity: str,
    parts: Callable[[int], Iterable[np.ndarray]],
    unit: str,
    about: Mapping[str, Any],
) -> None:
    """`write_features` while no other process may write."""
    partial = scratch_path(out)
    array, checkpoint = partial / "features.npy", partial / "checkpoint.json"
    identity = json.dumps([identity, shape])
    done = _images_done(array, checkpoint, identity)
    if not done:
        discard(make_scratch(out))
        make_scratch(out)
        _reserve(array, shape)
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
                write_json({"identity": identity, "images": done}, checkpoint, replaces=True)
                saved = time.monotonic()
    if done != shape[-2]:
        raise ValueError(f"{out}: features of {done} images instead of {shape[-2]}")
    with naming(out):
        end_array(array, **about)
        _to_disk(array)
        array.replace(out)
    discard(partial)


def _reserve(array: Path, shape: tuple[int, ...]) -> None:
    """Make an array of zeros for which the disk has room.

    Without the blocks, the map of a file on a full disk ends the process by SIGBUS.
    """
    size = 2 * math.prod(shape)
    require_space(array.parent, size, str(array))
    with naming(array):
        np.lib.format.open_memmap(array, "w+", np.float16, shape).flush()
        with array.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, array.stat().st_size + ENDING)


def _images_done(array: Path, checkpoint: Path, identity: str) -> int:
    """Images whose features a killed call with the same identity has left."""
    if not (is_scratch(array.parent) and array.exists() and checkpoint.exists()):
        return 0
    left = read_json(checkpoint, sealed=True)
    return left["images"] if left["identity"] == identity else 0


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
