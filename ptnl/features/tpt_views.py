"""Augmented views of test images, for what tunes itself on each of them (TPT).

An image's views are its test transform and random resized crops, flipped, with AugMix
(Hendrycks et al. 2020) on top, as TPT's code (azshue/TPT at 63ecbac) has them for data sets of one
kind. They depend on the image's name alone, so every prompt meets the same ones.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from ptnl.features.encode import ImageEncoder, prepared, stacked
from ptnl.features.images import computed_ahead, read_pixels
from ptnl.features.views import RANDOM_NUMBERS, crop_boxes
from ptnl.machine.random_streams import random_stream

CHAINS, DEEPEST = 3, 3  # of AugMix: chains of operations, and operations of a chain at most
SEVERITY = (0.1, 1.0)  # range of an operation's level, of 10
BILINEAR = Image.Resampling.BILINEAR


def _signed(amount: float, stream: np.random.Generator) -> float:
    return -amount if stream.random() > 0.5 else amount


def _affine(image: Image.Image, *row: float) -> Image.Image:
    return image.transform(image.size, Image.Transform.AFFINE, row, resample=BILINEAR)


def _shift(level: float, image: Image.Image, stream: np.random.Generator) -> int:
    return int(_signed(int(level * image.size[0] / 3 / 10), stream))


# Each maps an image, a level of 10 and random numbers to an image.
OPERATIONS: tuple[Callable[[Image.Image, float, np.random.Generator], Image.Image], ...] = (
    lambda image, level, stream: ImageOps.autocontrast(image),
    lambda image, level, stream: ImageOps.equalize(image),
    lambda image, level, stream: ImageOps.posterize(image, 4 - int(level * 4 / 10)),
    lambda image, level, stream: image.rotate(
        _signed(int(level * 30 / 10), stream), resample=BILINEAR
    ),
    lambda image, level, stream: ImageOps.solarize(image, 256 - int(level * 256 / 10)),
    lambda image, level, stream: _affine(image, 1, _signed(level * 0.03, stream), 0, 0, 1, 0),
    lambda image, level, stream: _affine(image, 1, 0, 0, _signed(level * 0.03, stream), 1, 0),
    lambda image, level, stream: _affine(image, 1, 0, _shift(level, image, stream), 0, 1, 0),
    lambda image, level, stream: _affine(image, 1, 0, 0, 0, 1, _shift(level, image, stream)),
)


def augmix(image: Image.Image, stream: np.random.Generator) -> np.ndarray:
    """A random mixture (H, W, 3) of an image and three chains of operations on it, in uint8."""
    weights, share = stream.dirichlet(np.ones(CHAINS)), stream.beta(1, 1)
    mixed = np.zeros((*image.size[::-1], 3))
    for weight in weights:
        changed = image
        for _ in range(stream.integers(1, DEEPEST + 1)):
            operation = OPERATIONS[stream.integers(len(OPERATIONS))]
            changed = operation(changed, stream.uniform(*SEVERITY), stream)
        mixed += weight * np.asarray(changed, dtype=float)
    return np.rint(share * np.asarray(image) + (1 - share) * mixed).astype(np.uint8)


def views_of(pixels: Tensor, name: str, views: int, flips: bool, encoder: ImageEncoder) -> Tensor:
    """Views (V, 3, S, S) of an image (3, H, W), both uint8; the first is the test transform."""
    size = encoder.backbone.image_size
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    stream = random_stream("test views", number)
    uniform = stream.random((views - 1, RANDOM_NUMBERS))
    made = [prepared(pixels, size, encoder.backbone.preprocess)]
    for box, last in zip(crop_boxes(uniform, *pixels.shape[-2:]), uniform[:, -1], strict=True):
        crop = F.resized_crop(
            pixels, *box.tolist(), [size, size], InterpolationMode.BILINEAR, antialias=True
        )
        if flips and last < 0.5:
            crop = F.horizontal_flip(crop)
        mixed = augmix(Image.fromarray(crop.permute(1, 2, 0).numpy()), stream)
        made.append(torch.from_numpy(mixed).permute(2, 0, 1))
    return stacked(made)


def encoded_test_views(
    encoder: ImageEncoder,
    images: Sequence[str],
    folder: Path,
    views: int,
    flips: bool,
    threads: int = 1,
    background: str = "white",
) -> Iterator[np.ndarray]:
    """Features (views, n, D) of the images in order, in float16, not normalised.

    `images` are paths below `folder`; transparent ones stand on `background`.
    """

    def made(name: str) -> Tensor:
        return views_of(read_pixels(folder / name, background), name, views, flips, encoder)

    ready = computed_ahead(made, images, threads, max(threads, encoder.ahead // views))
    together = max(1, encoder.batch // views)
    while batch := list(islice(ready, together)):
        features = encoder(torch.cat(batch))
        yield features.unflatten(0, (-1, views)).transpose(0, 1).numpy()
