"""Image files as 8-bit RGB, whatever Pillow opens: upright, opaque, in a range of 0 to 255.

An 8-bit RGB or grey image without transparency and orientation tag gives the pixels that
`Image.convert("RGB")` gives, bit for bit.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from ptnl.data.image_files import FORMATS
from ptnl.errors import InputError

BACKGROUNDS = ("white", "black", "grey")  # behind transparent images
# Limits that a damaged or malicious file would exceed: pixels of an image, as Pillow sets it, and
# the ratio of its sides, because the shorter side is scaled to that of the encoder's input.
MOST_PIXELS = 2 * 89_478_485
MOST_ELONGATED = 200

ORIENTATION = 0x0112  # the EXIF tag
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIXTEEN_BIT = ("I;16", "I;16B", "I;16L", "I;16N")
WIDE = ("I", "F")  # 32-bit integers and floating-point numbers


def read_image(path: Path, background: str = "white") -> Image.Image:
    """Decode an image as 8-bit RGB; an unreadable one is an `InputError` that names it.

    Of an animation or a file of several pages, it is the first. Transparent parts show
    `background`. An orientation tag (EXIF or XMP) is followed.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            check_size(*image.size)
            image.load()
            return to_rgb(image, background)
    # Pillow's readers raise nearly anything on a damaged file: OSError, SyntaxError, struct.error.
    except Exception as error:
        said = str(error) or type(error).__name__
        raise InputError(f"{path}: not readable as an image ({said})") from error


def to_rgb(image: Image.Image, background: str) -> Image.Image:
    """A loaded image as 8-bit RGB, upright, on a background."""
    turn = UPRIGHT.get(orientation(image))
    if image.mode in (*SIXTEEN_BIT, *WIDE):
        image = Image.fromarray(eight_bit(np.asarray(image), value_range(image)))
    if turn is not None:
        image = image.transpose(turn)
    if not image.has_transparency_data:
        return image.convert("RGB")
    if image.mode == "La":  # which Pillow converts to LA only
        image = image.convert("LA")
    image = image.convert("RGBA")
    opaque = Image.new("RGBA", image.size, background)
    return Image.alpha_composite(opaque, image).convert("RGB")


def orientation(image: Image.Image) -> int:
    """The orientation that an image's metadata tell: 1 to 8; 1, upright, where they tell none."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged metadata say nothing; the pixels may be sound
        return 1
    return value if value in UPRIGHT else 1


def value_range(image: Image.Image) -> tuple[float, float]:
    """The values of a 16- or 32-bit image that become 0 and 255.

    Of 16 bits, and of what Pillow has already scaled to 16 bits, those of the type. 32 bits have no
    such convention: if all values lie within 0 and 1, or else within 0 and 255, those; otherwise
    the image's own least and greatest value.
    """
    if image.mode in SIXTEEN_BIT or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return 0, 65535
    values = np.asarray(image)
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise InputError("it holds no finite value")
    low, high = float(finite.min()), float(finite.max())
    if low >= 0 and high <= 1 and image.mode == "F":
        return 0, 1
    if low >= 0 and high <= 255:
        return 0, 255
    return low, high


def eight_bit(values: np.ndarray, bounds: tuple[float, float]) -> np.ndarray:
    """Values (H, W) scaled to uint8, `bounds` to 0 and 255; what is not a number becomes 0."""
    low, high = bounds
    scaled = (values.astype(np.float64) - low) * (255 / ((high - low) or 1))
    rounded: np.ndarray = np.rint(np.nan_to_num(scaled, nan=0, posinf=255, neginf=0).clip(0, 255))
    return rounded.astype(np.uint8)


def check_size(width: int, height: int) -> None:
    """Refuse an image that would fill the memory, once decoded or resized."""
    if width * height > MOST_PIXELS:
        raise InputError(f"{width:,} x {height:,} pixels, more than {MOST_PIXELS:,}")
    if max(width, height) > MOST_ELONGATED * min(width, height):
        raise InputError(
            f"{width:,} x {height:,} pixels, one side over {MOST_ELONGATED} times the other"
        )


def peculiarities(path: Path, background: str = "white") -> list[str]:
    """What is done to an image beside reading its 8-bit pixels, by its header alone.

    Empty for an image that cannot be opened: reading it says what is wrong.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            found = []
            if image.mode in SIXTEEN_BIT:
                found.append("16-bit values, scaled from 0 to 65,535")
            elif image.mode in WIDE:
                found.append("32-bit values, scaled from 0 to 1, 0 to 255 or their own range")
            if image.has_transparency_data:
                found.append(f"transparency, shown on {background}")
            if orientation(image) in UPRIGHT:
                found.append("an orientation tag, turned upright")
            if getattr(image, "is_animated", False):
                found.append("several frames or pages, of which the first is read")
            if image.mode == "CMYK":
                found.append("CMYK colours, converted without a colour profile")
            return found
    except Exception:  # as above
        return []
