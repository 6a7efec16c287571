"""Reading images: JPEG and PNG as Pillow reads them, bad files named, several threads in order."""

import io
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from ptnl.errors import InputError
from ptnl.features.decoding import read_image
from ptnl.features.images import computed_ahead, read_pixels, unreadable
from tests.unit.pictures import photograph, tensor


def jpeg(image: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


PHOTOGRAPH = photograph(0, 251, 333)
KINDS = {
    "plain.jpg": jpeg(PHOTOGRAPH),
    "progressive.jpg": jpeg(PHOTOGRAPH, progressive=True),
    "full-colour.jpg": jpeg(PHOTOGRAPH, subsampling=0, quality=95),
    "half-colour.jpg": jpeg(PHOTOGRAPH, subsampling=1),
    "rgb.jpg": jpeg(PHOTOGRAPH, keep_rgb=True),
    "grey.jpg": jpeg(PHOTOGRAPH.convert("L")),
    "cmyk.jpg": jpeg(PHOTOGRAPH.convert("CMYK")),
}


@pytest.mark.parametrize("name", KINDS)
def test_pixels_of_a_jpeg_equal_pillows(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(KINDS[name])
    pixels = read_pixels(path)
    assert pixels.dtype == torch.uint8
    assert torch.equal(pixels, tensor(read_image(path)))


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "1"])
def test_pixels_of_a_png_equal_pillows(tmp_path, mode):
    PHOTOGRAPH.convert(mode).save(tmp_path / "a.png")
    assert torch.equal(read_pixels(tmp_path / "a.png"), tensor(read_image(tmp_path / "a.png")))


def test_the_content_decides_the_format_and_not_the_file_name(tmp_path):
    PHOTOGRAPH.save(tmp_path / "gif.jpg", "GIF")
    assert torch.equal(read_pixels(tmp_path / "gif.jpg"), tensor(read_image(tmp_path / "gif.jpg")))


@pytest.mark.parametrize("read", [read_image, read_pixels])
@pytest.mark.parametrize(
    "content", [b"", b"<html>not found</html>", KINDS["plain.jpg"][:3000], KINDS["grey.jpg"][:20]]
)
def test_a_file_that_is_not_an_image_is_named(tmp_path, read, content):
    (tmp_path / "a.jpg").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.jpg: not readable as an image"):
        read(tmp_path / "a.jpg")


def test_unreadable_images_are_found_among_others(tmp_path):
    good, cut, page, absent = (
        tmp_path / f"{name}.jpg" for name in ("good", "cut", "page", "absent")
    )
    good.write_bytes(KINDS["plain.jpg"])
    cut.write_bytes(KINDS["plain.jpg"][:-500])
    page.write_text("<html>not found</html>")
    faults = unreadable([good, cut, page, absent, good], threads=2)
    assert [fault is None for fault in faults] == [True, False, False, False, True]
    for path, fault in zip((cut, page, absent), faults[1:4], strict=True):
        assert fault.startswith(f"{path}: not readable as an image")


def test_results_come_in_order_from_several_threads():
    later_are_done = threading.Event()

    def first_ones_late(item: int) -> int:
        if item < 2:
            later_are_done.wait()
        elif item == 5:
            later_are_done.set()
        return item * item

    assert list(computed_ahead(first_ones_late, range(20), 4, 8)) == [i * i for i in range(20)]
    assert list(computed_ahead(first_ones_late, [], 4, 8)) == []


def test_no_more_is_computed_ahead_than_asked_for():
    begun, lock = [], threading.Lock()

    def begin(item: int) -> int:
        with lock:
            begun.append(item)
        return item

    results = computed_ahead(begin, range(100), 2, 5)
    taken = [next(results) for _ in range(10)]
    assert taken == list(range(10))
    results.close()  # waits for the items that have begun
    assert len(begun) <= 10 + 5


def test_an_error_ends_the_work():
    begun = []

    def begin(item: int) -> int:
        begun.append(item)
        if item == 3:
            raise InputError("three")
        return item

    results = computed_ahead(begin, range(1000), 1, 50)
    with pytest.raises(InputError, match="three"):
        list(results)
    assert len(begun) <= 3 + 1 + 50


def test_pixels_lie_channels_last_for_resizing(tmp_path):
    for name in ("plain.jpg", "cmyk.jpg"):
        (tmp_path / name).write_bytes(KINDS[name])
        assert read_pixels(tmp_path / name).permute(1, 2, 0).is_contiguous()
    np.testing.assert_array_equal(read_pixels(tmp_path / "plain.jpg").shape, (3, 251, 333))
