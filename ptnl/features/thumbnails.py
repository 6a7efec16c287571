"""Small copies of images, for pages that hold many."""

from io import BytesIO
from pathlib import Path

from ptnl.features.decoding import read_image

QUALITY = 80  # of WebP


def thumbnail(path: Path, side: int, background: str = "white") -> bytes:
    """An image as WebP, at most `side` pixels wide and high; a smaller one keeps its size.

    background : what shows through transparent parts
    """
    image = read_image(path, background)
    image.thumbnail((side, side))
    buffer = BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY)
    return buffer.getvalue()
