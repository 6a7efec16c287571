"""Which files are images, by their first bytes and their endings. Does not import torch."""

from pathlib import Path

from PIL import Image

Image.init()  # registers the formats that this build of Pillow has
# Formats that Pillow decodes itself. EPS is left out on purpose: Pillow passes it to Ghostscript,
# which runs it as a program.
FORMATS = tuple(
    name
    for name in (
        *("AVIF", "BMP", "DDS", "DIB", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000", "PCX", "PNG"),
        *("PPM", "PSD", "QOI", "SGI", "TGA", "TIFF", "WEBP"),
    )
    if name in Image.OPEN
)
# The formats among these that begin with a signature, so that other files are not taken for them.
SIGNED = tuple(name for name in FORMATS if name not in ("DIB", "PCX", "SGI", "TGA"))
# Endings of image files. A file with such an ending is an image, even if it cannot be read.
SUFFIXES = frozenset(
    ".avif .bmp .dds .dib .gif .icns .ico .j2k .jfif .jp2 .jpe .jpeg .jpg .mpo .pbm .pcx .pfm .pgm"
    " .png .pnm .ppm .psd .qoi .sgi .tga .tif .tiff .webp".split()
)


def has_image_ending(name: str) -> bool:
    """Whether the name of a file ends like that of an image, in upper or lower case."""
    return Path(name).suffix.lower() in SUFFIXES


def is_image(path: Path) -> bool:
    """Whether Pillow can open a file as an image, whatever its name."""
    try:
        with Image.open(path, formats=SIGNED):
            return True
    except Image.DecompressionBombError:
        return True  # it is an image, and is refused when it is read
    except Exception:  # Pillow may raise any exception on a file that is no image
        return False
