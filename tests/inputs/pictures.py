"""Image files as users may bring them, and the pixels that `ptnl.features.images` must read."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ptnl.features.decoding import read_image
from ptnl.features.images import read_pixels
from tests.inputs.rows import Row, read, refused, write

SIZE = 40, 24  # width and height


def pixels(place: Path, image: Path) -> np.ndarray:
    """The RGB pixels (H, W, 3) of an image by both readers, which must agree."""
    fast = read_pixels(image).permute(1, 2, 0).numpy()
    assert np.array_equal(fast, np.asarray(read_image(image)))
    return fast


def photograph(mode: str = "RGB") -> Image.Image:
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    rgb = np.stack([6 * x, 255 - 6 * x, 10 * y], axis=2).clip(0, 255).astype(np.uint8)
    return Image.fromarray(rgb).convert(mode)


def see_through() -> Image.Image:
    image = photograph()
    alpha = np.linspace(0, 255, SIZE[0] * SIZE[1]).astype(np.uint8).reshape(SIZE[::-1])
    image.putalpha(Image.fromarray(alpha))
    return image


def saved(name: str, mode: str = "RGB", image: Callable = photograph, **options):
    """Save an image in a mode; the ending of the name gives the format."""

    def make(place: Path) -> Path:
        (image().convert(mode) if mode else image()).save(place / name, **options)
        return place / name

    return make


def content(name: str, data: Callable[[], bytes]) -> Callable[[Path], Path]:
    return lambda place: write(place / name, data())


def as_pillow(name: str, mode: str = "RGB", **options) -> tuple:
    """A file, and a check that its pixels are those that Pillow alone gives."""
    make = saved(name, mode, **options)

    def check(found: np.ndarray) -> None:
        data = io.BytesIO()
        photograph(mode).save(data, Image.registered_extensions()[Path(name).suffix], **options)
        assert np.array_equal(found, np.asarray(Image.open(data).convert("RGB")))

    return make, check


def on_white(image: Image.Image) -> Callable[[np.ndarray], None]:
    rgba = np.asarray(image.convert("RGBA"), float)
    alpha = rgba[..., 3:] / 255
    expected = rgba[..., :3] * alpha + 255 * (1 - alpha)

    def check(found: np.ndarray) -> None:
        assert np.abs(found - expected).max() <= 1

    return check


def turned(value: int) -> tuple:
    exif = Image.Exif()
    exif[0x112] = value

    def check(found: np.ndarray) -> None:
        data = io.BytesIO()
        photograph().save(data, "JPEG", exif=exif)
        upright = ImageOps.exif_transpose(Image.open(data))
        assert np.array_equal(found, np.asarray(upright))
        assert found.shape[:2] == (SIZE[::-1] if value < 5 else SIZE)

    return saved("a.jpg", exif=exif), check


def values(name: str, dtype: str, low: float, high: float) -> Callable[[Path], Path]:
    """An image whose values rise from `low` to `high`."""

    def make(place: Path) -> Path:
        rising = np.linspace(low, high, SIZE[0] * SIZE[1]).reshape(SIZE[::-1]).astype(dtype)
        Image.fromarray(rising).save(place / name)
        return place / name

    return make


def from_to(low: int, high: int) -> Callable[[np.ndarray], None]:
    """A check for grey that rises evenly from one level to another."""

    def check(found: np.ndarray) -> None:
        expected = np.linspace(low, high, SIZE[0] * SIZE[1]).reshape(SIZE[::-1])
        assert np.abs(found - expected[..., None]).max() <= 1.01

    return check


def big_endian(place: Path) -> Path:
    rising = np.linspace(0, 65535, SIZE[0] * SIZE[1]).astype(">u2")
    Image.frombytes("I;16B", SIZE, rising.tobytes()).save(place / "a.tif")
    return place / "a.tif"


def pgm(place: Path) -> Path:
    rising = np.linspace(0, 65535, SIZE[0] * SIZE[1]).astype(">u2")
    return write(place / "a.pgm", b"P5 %d %d 65535\n" % SIZE + rising.tobytes())


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raw_png(header: tuple[int, ...], rows: bytes, *chunks: bytes) -> bytes:
    ihdr = struct.pack(">IIBBBBB", *header)
    body = chunk(b"IHDR", ihdr) + b"".join(chunks) + chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def sixteen_bit_alpha() -> bytes:
    """A PNG with one row of three full green pixels: clear, half transparent, opaque."""
    row = b"".join(struct.pack(">HHHH", 0, 65535, 0, alpha) for alpha in (0, 32768, 65535))
    return raw_png((3, 1, 16, 6, 0, 0, 0), b"\0" + row)


def green_on_white(found: np.ndarray) -> None:
    expected = [[255, 255, 255], [127, 255, 127], [0, 255, 0]]
    assert np.abs(found[0].astype(int) - expected).max() <= 1


def palette(**options) -> Callable[[Path], Path]:
    return lambda place: (
        photograph().quantize(8).save(place / "a.png", **options) or place / "a.png"
    )


def palette_on_white(transparency: int | bytes) -> Callable[[np.ndarray], None]:
    data = io.BytesIO()
    photograph().quantize(8).save(data, "PNG", transparency=transparency)
    return on_white(Image.open(data))


def frames(name: str) -> Callable[[Path], Path]:
    def make(place: Path) -> Path:
        red, *others = (Image.new("RGB", SIZE, c) for c in ("red", "blue", "green"))
        red.save(place / name, save_all=True, append_images=others, lossless=True)
        return place / name

    return make


def red(found: np.ndarray) -> None:
    assert (found == (255, 0, 0)).all()


def damaged(name: str, keep: float) -> Callable[[Path], Path]:
    def make(place: Path) -> Path:
        path = saved(name)(place)
        path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
        return path

    return make


def without_adobe(place: Path) -> Path:
    data = io.BytesIO()
    photograph("CMYK").save(data, "JPEG")
    jpeg = data.getvalue()
    marker = jpeg.index(b"\xff\xee")
    length = int.from_bytes(jpeg[marker + 2 : marker + 4], "big")
    return write(place / "a.jpg", jpeg[:marker] + jpeg[marker + 2 + length :])


def inks(found: np.ndarray) -> None:
    data = io.BytesIO()
    photograph("CMYK").save(data, "JPEG")
    assert np.array_equal(found, np.asarray(Image.open(data).convert("RGB")))


def huge_jpeg() -> bytes:
    data = io.BytesIO()
    photograph().save(data, "JPEG")
    jpeg = bytearray(data.getvalue())
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    return bytes(jpeg)


def text_bomb() -> bytes:
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * 80_000_000))
    return raw_png((1, 1, 8, 2, 0, 0, 0), b"\0" * 4, text)


PLAIN = [
    *(f"a.{ending}" for ending in ("jpg", "png", "bmp", "webp", "gif", "tif", "ppm", "jp2")),
    *("a.avif", "a.tga", "a.ico"),
]

ROWS: list[Row] = [
    *(
        read(
            f"an 8-bit colour image, .{name.split('.')[1]}",
            *(lambda m: (m[0], "Pillow's pixels, bit for bit", m[1]))(as_pillow(name)),
        )
        for name in PLAIN
    ),
    *(
        read(
            f"a grey image, .{name.split('.')[1]}",
            *(lambda m: (m[0], "Pillow's pixels, bit for bit", m[1]))(as_pillow(name, "L")),
        )
        for name in ("a.jpg", "a.png", "a.tif")
    ),
    *(
        read(
            f"{what}",
            *(lambda m: (m[0], "as Pillow converts it", m[1]))(as_pillow(name, mode, **options)),
        )
        for what, name, mode, options in (
            ("1 bit, PNG", "a.png", "1", {}),
            ("1 bit, TIFF", "a.tif", "1", {"compression": "group4"}),
            ("a palette, PNG", "a.png", "P", {}),
            ("a palette, GIF", "a.gif", "P", {}),
            ("CMYK with Adobe's marker, JPEG", "a.jpg", "CMYK", {}),
            ("CMYK, TIFF", "a.tif", "CMYK", {}),
            ("YCbCr, TIFF", "a.tif", "YCbCr", {}),
            ("a progressive JPEG", "a.jpg", "RGB", {"progressive": True}),
        )
    ),
    read(
        "CMYK without Adobe's marker, JPEG",
        without_adobe,
        "read as if it had the marker, as Pillow does",
        inks,
    ),
    *(
        read(
            f"an orientation tag of {value}",
            *(lambda m: (m[0], "upright" if value == 1 else "turned upright", m[1]))(turned(value)),
        )
        for value in range(1, 9)
    ),
    read(
        "16 bits, grey, PNG",
        values("a.png", "uint16", 0, 65535),
        "scaled from 0 to 65,535",
        from_to(0, 255),
    ),
    read(
        "16 bits, grey, TIFF",
        values("a.tif", "uint16", 0, 65535),
        "scaled from 0 to 65,535",
        from_to(0, 255),
    ),
    read(
        "16 bits, the other byte order, TIFF",
        big_endian,
        "scaled from 0 to 65,535",
        from_to(0, 255),
    ),
    read("16 bits, PGM", pgm, "scaled from 0 to 65,535", from_to(0, 255)),
    read(
        "16 bits, colours and alpha, PNG",
        content("a.png", sixteen_bit_alpha),
        "scaled, on white",
        green_on_white,
    ),
    read(
        "floating point, 0 to 1",
        values("a.tif", "float32", 0, 1),
        "scaled from 0 to 1",
        from_to(0, 255),
    ),
    read(
        "floating point, 0.25 to 0.5",
        values("a.tif", "float32", 0.25, 0.5),
        "scaled from 0 to 1",
        from_to(64, 128),
    ),
    read(
        "floating point, 0 to 255",
        values("a.tif", "float32", 0, 255),
        "as 0 to 255",
        from_to(0, 255),
    ),
    read(
        "floating point, -20 to 4,000",
        values("a.tif", "float32", -20, 4000),
        "scaled from its own range",
        from_to(0, 255),
    ),
    read(
        "32-bit integers",
        values("a.tif", "int32", -9e6, 9e6),
        "scaled from its own range",
        from_to(0, 255),
    ),
    refused(
        "floating point without a finite value",
        values("a.tif", "float32", np.nan, np.nan),
        "not readable as an image (it holds no finite value)",
    ),
    *(
        read(
            f"transparency, {what}",
            saved(name, mode, see_through, **options),
            "on white",
            on_white(see_through().convert(mode)),
        )
        for what, name, mode, options in (
            ("PNG", "a.png", "RGBA", {}),
            ("grey, PNG", "a.png", "LA", {}),
            ("WebP", "a.webp", "RGBA", {"lossless": True, "exact": True}),
            ("TIFF", "a.tif", "RGBA", {}),
        )
    ),
    read(
        "a palette with a transparent colour",
        palette(transparency=3),
        "on white",
        palette_on_white(3),
    ),
    read(
        "a palette with transparencies",
        palette(transparency=bytes(range(0, 240, 30))),
        "on white",
        palette_on_white(bytes(range(0, 240, 30))),
    ),
    *(
        read(f"an animation or several pages, .{ending}", frames(f"a.{ending}"), "the first", red)
        for ending in ("gif", "webp", "png", "tif")
    ),
    read(
        "a PNG that is called .jpg",
        lambda p: saved("a.png")(p).rename(p / "a.jpg"),
        "read by its content",
        lambda f: np.testing.assert_array_equal(f, np.asarray(photograph())),
    ),
    *(
        refused(
            f"a {name.split('.')[1].upper()} that was cut",
            damaged(name, keep),
            "not readable as an image",
        )
        for name, keep in (
            ("a.jpg", 0.7),
            ("a.png", 0.6),
            ("a.webp", 0.5),
            ("a.tif", 0.5),
            ("a.gif", 0.3),
        )
    ),
    refused("an empty file", content("a.jpg", lambda: b""), "a.jpg: not readable as an image"),
    refused(
        "a web page that is called .jpg",
        content("a.jpg", lambda: b"<html>404</html>"),
        "not readable as an image",
    ),
    refused(
        "PostScript that is called .jpg",
        content("a.jpg", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        "not readable as an image",
    ),
    refused(
        "an image that is not there", lambda place: place / "a.png", "not readable as an image"
    ),
    refused(
        "a folder that is called .png",
        lambda place: (place / "a.png").mkdir() or place / "a.png",
        "not readable as an image",
    ),
    refused(
        "a PNG of 100,000 x 100,000 pixels",
        content("a.png", lambda: raw_png((100_000, 100_000, 8, 0, 0, 0, 0), b"\0")),
        "not readable as an image",
    ),
    refused(
        "a JPEG of 65,535 x 65,535 pixels", content("a.jpg", huge_jpeg), "not readable as an image"
    ),
    refused(
        "an image of 1 x 60,000 pixels",
        lambda p: Image.new("L", (1, 60_000)).save(p / "a.png") or p / "a.png",
        "one side over 200 times the other",
    ),
    refused(
        "a PNG with a text of 80 MB in 80 kB",
        content("a.png", text_bomb),
        "not readable as an image",
    ),
]
