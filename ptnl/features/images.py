"""Images from files, decoded in parallel and ahead of who needs them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from simplejpeg import decode_jpeg, decode_jpeg_header

from ptnl.errors import InputError

Item, Result = TypeVar("Item"), TypeVar("Result")

LIBJPEG_COLOURS = ("Gray", "RGB", "YCbCr")  # that it turns into RGB, and not Pillow
VERIFIED_AHEAD = 64  # images that wait to be looked at while others are decoded


def read_image(path: Path) -> Image.Image:
    """Decode an image as RGB; an unreadable one is an `InputError` that names it."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
        raise InputError(f"{path}: not readable as an image ({error})") from error


def read_pixels(path: Path) -> torch.Tensor:
    """Decode an image to RGB (3, H, W) in uint8, as `read_image` does, pixel by pixel.

    Of a JPEG, simplejpeg hands out libjpeg's rows as they are, where Pillow copies them twice. All
    else, and what it cannot decode without a warning, is Pillow's to read or to refuse. The
    channels lie innermost in memory, for which resizing is fastest.
    """
    pixels = _jpeg_pixels(path)
    if pixels is None:
        pixels = np.array(read_image(path))
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _jpeg_pixels(path: Path) -> np.ndarray | None:
    """RGB (H, W, 3) of a sound JPEG that needs no conversion but libjpeg's own; else None."""
    try:
        data = path.read_bytes()
        *_, colours, _ = decode_jpeg_header(data)
        return decode_jpeg(data) if colours in LIBJPEG_COLOURS else None
    except (ValueError, OSError):
        return None


def computed_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int, ahead: int
) -> Iterator[Result]:
    """`function` of each item, in order; up to `ahead` results are computed before their turn."""
    with ThreadPoolExecutor(threads) as pool:
        waiting = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def unreadable(paths: Sequence[Path], threads: int = 1) -> list[str | None]:
    """What is wrong with each image, in order: a sentence that names it, or None."""

    def fault(path: Path) -> str | None:
        try:
            read_pixels(path)
        except InputError as error:
            return str(error)
        return None

    return list(computed_ahead(fault, paths, threads, VERIFIED_AHEAD))
