"""Pixels of every kind of image file, compared with Pillow's own conversions."""

import io
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from ptnl.errors import InputError
from ptnl.features.decoding import eight_bit, peculiarities, read_image
from ptnl.features.images import read_pixels
from tests.unit.pictures import photograph

PHOTOGRAPH = photograph(0, 61, 43)
LEVELS = np.arange(64 * 64, dtype=np.uint32).reshape(64, 64) * 65535 // 4095  # 0 to 65,535


def pixels_of(path, background="white") -> np.ndarray:
    """RGB (H, W, 3); checks that both readers agree."""
    both = read_pixels(path, background).permute(1, 2, 0).numpy()
    assert np.array_equal(both, np.asarray(read_image(path, background)))
    return both


def orientation_tag(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x112] = value
    return exif


@pytest.mark.parametrize(
    "ending", ["jpg", "png", "bmp", "webp", "tif", "gif", "ppm", "jp2", "avif"]
)
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_plain_images_are_converted_as_by_pillow(tmp_path, ending, mode):
    path = tmp_path / f"a.{ending}"
    PHOTOGRAPH.convert(mode).save(path)
    expected = np.asarray(Image.open(path).convert("RGB"))
    assert np.array_equal(pixels_of(path), expected)
    assert peculiarities(path) == []


@pytest.mark.parametrize("ending", ["png", "tif", "bmp", "gif"])
@pytest.mark.parametrize("mode", ["1", "P"])
def test_black_and_white_and_palettes_are_converted_as_by_pillow(tmp_path, ending, mode):
    path = tmp_path / f"a.{ending}"
    PHOTOGRAPH.convert(mode).save(path)
    expected = np.asarray(Image.open(path).convert("RGB"))
    assert np.array_equal(pixels_of(path), expected)


@pytest.mark.parametrize("ending", ["jpg", "tif"])
def test_cmyk_is_converted_as_by_pillow(tmp_path, ending):
    """Pillow writes a JPEG with Adobe's marker, which says that the inks are inverted."""
    path = tmp_path / f"a.{ending}"
    PHOTOGRAPH.convert("CMYK").save(path)
    assert np.array_equal(pixels_of(path), np.asarray(Image.open(path).convert("RGB")))
    assert np.abs(pixels_of(path).astype(int) - np.asarray(PHOTOGRAPH)).mean() < 8
    assert peculiarities(path) == ["CMYK colours, converted without a colour profile"]


def test_cmyk_without_adobes_marker_is_converted_as_by_pillow(tmp_path):
    data = io.BytesIO()
    PHOTOGRAPH.convert("CMYK").save(data, "JPEG")
    marker = data.getvalue().index(b"\xff\xee")
    length = int.from_bytes(data.getvalue()[marker + 2 : marker + 4], "big")
    path = tmp_path / "a.jpg"
    path.write_bytes(data.getvalue()[:marker] + data.getvalue()[marker + 2 + length :])
    assert np.array_equal(pixels_of(path), np.asarray(Image.open(path).convert("RGB")))


@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_an_orientation_tag_is_followed(tmp_path, ending, value):
    path = tmp_path / f"a.{ending}"
    PHOTOGRAPH.save(path, exif=orientation_tag(value))
    expected = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    assert np.array_equal(pixels_of(path), expected)
    assert expected.shape[:2] == ((61, 43) if value < 5 else (43, 61))
    turned = ["an orientation tag, turned upright"] if value > 1 else []
    assert peculiarities(path) == turned


@pytest.mark.parametrize(
    "before", [b"", b"\xff\xff", b"\xff\xed\x00\x06\xff\xda\xff\xda", b"\xff\xed\x00\x02"]
)
def test_an_orientation_is_found_behind_other_metadata(tmp_path, before):
    PHOTOGRAPH.save(tmp_path / "plain.jpg", xmp=b'<x:xmpmeta tiff:Orientation="6"/>')
    content = (tmp_path / "plain.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(content[:2] + before + content[2:])
    assert pixels_of(tmp_path / "a.jpg").shape == (43, 61, 3)


def test_an_orientation_in_xmp_is_followed(tmp_path):
    path = tmp_path / "a.jpg"
    PHOTOGRAPH.save(path, xmp=b'<x:xmpmeta tiff:Orientation="6"/>')
    assert pixels_of(path).shape == (43, 61, 3)


@pytest.mark.parametrize("value", [0, 9, 65535])
def test_an_unknown_orientation_is_ignored(tmp_path, value):
    PHOTOGRAPH.save(tmp_path / "a.jpg", exif=orientation_tag(value))
    assert pixels_of(tmp_path / "a.jpg").shape == (61, 43, 3)


def test_damaged_metadata_do_not_change_the_pixels(tmp_path):
    PHOTOGRAPH.save(tmp_path / "plain.jpg")
    PHOTOGRAPH.save(tmp_path / "a.jpg", exif=b"Exif\0\0no TIFF")
    assert np.array_equal(pixels_of(tmp_path / "a.jpg"), pixels_of(tmp_path / "plain.jpg"))


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_sixteen_bits_are_scaled_from_their_whole_range(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    Image.fromarray(LEVELS.astype(np.uint16)).save(path)
    found = pixels_of(path)
    expected = np.rint(LEVELS / 257)
    assert np.array_equal(found, np.repeat(expected[..., None], 3, axis=2))
    assert (found.min(), found.max()) == (0, 255)
    assert peculiarities(path) == ["16-bit values, scaled from 0 to 65,535"]


def test_sixteen_bits_of_either_byte_order_are_the_same(tmp_path):
    little, big = tmp_path / "little.tif", tmp_path / "big.tif"
    Image.fromarray(LEVELS.astype(np.uint16)).save(little)
    Image.frombytes("I;16B", (64, 64), LEVELS.astype(">u2").tobytes()).save(big)
    assert Image.open(big).mode == "I;16B"
    assert np.array_equal(pixels_of(big), pixels_of(little))


def test_sixteen_bits_of_a_pgm_are_scaled_too(tmp_path):
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 64 64 65535\n" + LEVELS.astype(">u2").tobytes())
    assert np.array_equal(pixels_of(path)[..., 0], np.rint(LEVELS / 257))


def test_sixteen_bit_colours_of_a_png_are_scaled(tmp_path):
    """Pillow reads only the high byte of each value: an error of at most one level of 255."""
    values = np.stack([LEVELS, LEVELS[::-1], LEVELS.T], axis=2).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return len(data).to_bytes(4, "big") + checked + zlib.crc32(checked).to_bytes(4, "big")

    header = (64).to_bytes(4, "big") * 2 + bytes([16, 2, 0, 0, 0])
    path = tmp_path / "a.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )
    assert np.abs(pixels_of(path) - values / 257).max() <= 1


@pytest.mark.parametrize(
    ("low", "high", "bounds"),
    [(0, 1, (0, 1)), (0.2, 0.4, (0, 1)), (0, 200, (0, 255)), (-5, 3000, None), (7, 7000, None)],
)
def test_floating_point_values_are_scaled(tmp_path, low, high, bounds):
    values = np.linspace(low, high, 400, dtype=np.float32).reshape(20, 20)
    Image.fromarray(values).save(tmp_path / "a.tif")
    start, end = bounds or (low, high)
    expected = (values.astype(float) - start) * 255 / (end - start)
    assert np.abs(pixels_of(tmp_path / "a.tif")[..., 0] - expected).max() <= 0.5 + 1e-3


def test_integers_of_32_bits_are_scaled_by_their_own_range(tmp_path):
    values = np.arange(-200, 200, dtype=np.int32).reshape(20, 20) * 1000
    Image.fromarray(values).save(tmp_path / "a.tif")
    found = pixels_of(tmp_path / "a.tif")[..., 0]
    assert (found.min(), found.max()) == (0, 255)
    assert (np.diff(found.ravel().astype(int)) >= 0).all()


def test_infinite_values_and_nan_are_black_or_white(tmp_path):
    values = np.full((4, 4), 0.5, np.float32)
    values[0] = [np.nan, np.inf, -np.inf, 1]
    Image.fromarray(values).save(tmp_path / "a.tif")
    assert pixels_of(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 255, 0, 255]
    Image.fromarray(np.full((4, 4), np.nan, np.float32)).save(tmp_path / "b.tif")
    with pytest.raises(InputError, match=r"b.tif: not readable as an image \(it holds no finite"):
        read_image(tmp_path / "b.tif")


def test_a_constant_image_is_black():
    assert eight_bit(np.full((2, 2), 3000.0), (3000, 3000)).tolist() == [[0, 0], [0, 0]]


def see_through() -> Image.Image:
    """The photograph with an alpha that grows from 0 to 255."""
    alpha = Image.fromarray(np.linspace(0, 255, 61 * 43).astype(np.uint8).reshape(61, 43))
    image = PHOTOGRAPH.copy()
    image.putalpha(alpha)
    return image


def blended(image: Image.Image, level: int) -> np.ndarray:
    """The image on a background of this grey level."""
    rgba = np.asarray(image.convert("RGBA"), float)
    alpha = rgba[..., 3:] / 255
    return rgba[..., :3] * alpha + level * (1 - alpha)


@pytest.mark.parametrize(("background", "level"), [("white", 255), ("black", 0), ("grey", 128)])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("ending", ["png", "webp", "tif"])
def test_transparent_images_are_shown_on_a_background(tmp_path, ending, mode, background, level):
    path = tmp_path / f"a.{ending}"
    see_through().convert(mode).save(path, **({"lossless": True} if ending == "webp" else {}))
    expected = blended(Image.open(path), level)
    assert np.abs(pixels_of(path, background) - expected).max() <= 1
    assert peculiarities(path, background) == [f"transparency, shown on {background}"]


def test_a_transparent_colour_of_a_palette_shows_the_background(tmp_path):
    palette = PHOTOGRAPH.quantize(8)
    for transparency in (3, bytes(range(0, 240, 30))):
        path = tmp_path / "a.png"
        palette.save(path, transparency=transparency)
        found = pixels_of(path)
        assert np.abs(found - blended(Image.open(path), 255)).max() <= 1
        clear = np.asarray(palette) == (3 if transparency == 3 else 0)
        assert (found[clear] == 255).all()
    palette.save(tmp_path / "a.gif", transparency=3)
    assert (pixels_of(tmp_path / "a.gif")[np.asarray(palette) == 3] == 255).all()


@pytest.mark.parametrize(("mode", "key"), [("L", 17), ("RGB", (10, 20, 30))])
def test_a_transparent_colour_of_a_png_shows_the_background(tmp_path, mode, key):
    image = PHOTOGRAPH.convert(mode)
    image.putpixel((5, 6), key)
    image.save(tmp_path / "a.png", transparency=key)
    found, plain = pixels_of(tmp_path / "a.png"), np.asarray(image.convert("RGB"))
    clear = (plain == key).all(axis=2)
    assert clear[6, 5]
    assert (found[clear] == 255).all()
    assert np.array_equal(found[~clear], plain[~clear])


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tif"])
def test_of_an_animation_the_first_frame_is_read(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    frames = [Image.new("RGB", (20, 10), colour) for colour in ("red", "blue", "green")]
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    assert (pixels_of(path) == (255, 0, 0)).all()
    assert peculiarities(path) == ["several frames or pages, of which the first is read"]


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header gives this size."""
    data = io.BytesIO()
    Image.new("L", (1, 1)).save(data, "PNG")
    png = bytearray(data.getvalue())
    png[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    png[29:33] = zlib.crc32(png[12:29]).to_bytes(4, "big")
    return bytes(png)


@pytest.mark.parametrize(
    ("size", "sentence"),
    [((100_000, 100_000), "exceeds limit"), ((1, 65_000), "one side over 200 times the other")],
)
def test_an_image_that_would_fill_the_memory_is_refused(tmp_path, size, sentence):
    (tmp_path / "a.png").write_bytes(bomb(*size))
    for read in (read_image, read_pixels):
        with pytest.raises(InputError, match=rf"a\.png: not readable as an image .*{sentence}"):
            read(tmp_path / "a.png")


def test_a_jpeg_that_would_fill_the_memory_is_refused(tmp_path):
    data = io.BytesIO()
    PHOTOGRAPH.save(data, "JPEG")
    jpeg = bytearray(data.getvalue())
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    (tmp_path / "a.jpg").write_bytes(jpeg)
    with pytest.raises(InputError, match=r"a\.jpg: not readable as an image .*exceeds limit"):
        read_pixels(tmp_path / "a.jpg")


def test_postscript_is_not_run(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n")
    with pytest.raises(InputError, match="not readable as an image"):
        read_image(tmp_path / "a.jpg")
