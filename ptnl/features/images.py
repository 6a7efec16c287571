"""Images from files, decoded in parallel before they are needed."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image
from simplejpeg import decode_jpeg, decode_jpeg_header

from ptnl.errors import InputError
from ptnl.features.decoding import UPRIGHT, check_size, orientation, read_image

Item = TypeVar("Item")
Result = TypeVar("Result")

LIBJPEG_COLOURS = ("Gray", "RGB", "YCbCr")  # that it turns into RGB, and not Pillow
# A JPEG whose metadata give an orientation holds one of these.
ORIENTATION_MARKS = (b"Exif\0\0", b"tiff:Orientation")
SCAN = 0xDA  # the marker of a JPEG's pixels; each marker stands behind a byte of 0xFF
VERIFIED_AHEAD = 64  # images that wait to be looked at while others are decoded


def read_pixels(path: Path, background: str = "white") -> torch.Tensor:
    """Decode an image to RGB (3, H, W) in uint8, as `read_image` does, pixel by pixel.

    simplejpeg decodes JPEGs, because it returns libjpeg's rows directly, where Pillow copies them
    twice. Pillow reads or refuses all other files, and JPEGs that simplejpeg warns about. The
    channels lie innermost in memory, for which resizing is fastest.
    """
    pixels = _jpeg_pixels(path)
    if pixels is None:
        pixels = np.array(read_image(path, background))
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _jpeg_pixels(path: Path) -> np.ndarray | None:
    """RGB (H, W, 3) of a sound, upright JPEG that needs no conversion but libjpeg's; else None."""
    try:
        data = path.read_bytes()
        height, width, colours, _ = decode_jpeg_header(data)
        check_size(width, height)
        return decode_jpeg(data) if colours in LIBJPEG_COLOURS and not _is_turned(data) else None
    except (InputError, ValueError, OSError):
        return None


def _is_turned(jpeg: bytes) -> bool:
    """Whether the metadata of a JPEG say that it is not upright."""
    metadata = _before_pixels(jpeg)
    if not any(mark in metadata for mark in ORIENTATION_MARKS):
        return False
    with Image.open(BytesIO(jpeg), formats=["JPEG"]) as image:
        return orientation(image) in UPRIGHT


def _before_pixels(jpeg: bytes) -> bytes:
    """The segments of a JPEG before its pixels, or all of it where they are out of order.

    Pillow, too, reads metadata up to there. To search the pixels as well would hold up the threads
    that decode other images: Python lets one of them search at a time.
    """
    start = 2
    while start + 1 < len(jpeg) and jpeg[start] == 0xFF:
        if jpeg[start + 1] == SCAN:
            return jpeg[:start]
        is_padding = jpeg[start + 1] == 0xFF
        start += 1 if is_padding else 2 + int.from_bytes(jpeg[start + 2 : start + 4])
    return jpeg


def computed_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int, ahead: int
) -> Iterator[Result]:
    """`function` of each item, in order; up to `ahead` results are computed before their turn."""
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Result]] = deque()
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
