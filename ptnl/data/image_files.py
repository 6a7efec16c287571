"""Which files are images: by what they begin with, and by their names' endings. Without torch."""

from pathlib import Path

from PIL import Image

Image.init()  # registers the formats that this build of Pillow has
# Formats that Pillow decodes by itself. EPS is left out on purpose: Pillow hands it to Ghostscript,
# which runs it as a program.
FORMATS = tuple(
    name
    for name in (
        *("AVIF", "BMP", "DDS", "DIB", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000", "PCX", "PNG"),
        *("PPM", "PSD", "QOI", "SGI", "TGA", "TIFF", "WEBP"),
    )
    if name in Image.OPEN
)
# Of these, the formats whose files begin with a signature: other files do not pass for them.
SIGNED = tuple(name for name in FORMATS if name not in ("DIB", "PCX", "SGI", "TGA"))
# Endings that say that a file is an image, whether it can be read or not.
SUFFIXES = frozenset(
    ".avif .bmp .dds .dib .gif .icns .ico .j2k .jfif .jp2 .jpe .jpeg .jpg .mpo .pbm .pcx .pfm .pgm"
    " .png .pnm .ppm .psd .qoi .sgi .tga .tif .tiff .webp".split()
)


def has_image_ending(name: str) -> bool:
    """Whether a file's name says that it is an image, in any case of its letters."""
    return Path(name).suffix.lower() in SUFFIXES


def is_image(path: Path) -> bool:
    """Whether a file is an image, whatever its name says: whether Pillow opens it."""
    try:
        with Image.open(path, formats=SIGNED):
            return True
    except Image.DecompressionBombError:
        return True  # an image, and refused as one where it is read
    except Exception:  # Pillow's readers raise nearly anything on what is no image
        return False
