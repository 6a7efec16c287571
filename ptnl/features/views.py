"""Augmented views: every crop and flip that a seed's training will see, encoded once.

The reference code crops, flips and encodes every training image anew at every step. But what a
step sees depends on the seed, the image and the epoch alone, and not on the method, the loss, the
labels or the noise rate: so all runs of a seed can share the features of its views.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from ptnl.features.encode import ImageEncoder, stacked
from ptnl.features.images import computed_ahead, read_pixels
from ptnl.machine.random_streams import random_stream

# RandomResizedCrop's defaults, which CoOp and PTNL use.
AREA, ASPECT = (0.08, 1.0), (3 / 4, 4 / 3)
ATTEMPTS = 10
RANDOM_NUMBERS = 2 * ATTEMPTS + 3  # of a view: areas, aspects, top, left, flip


@dataclass(frozen=True)
class Augmentation:
    """How an image is turned into views.

    `squash_first` is Dassl before 9 October 2021, the version that PTNL pins: the image is squashed
    to a square, flipped, then cropped. After it, the image is cropped in its own aspect, then
    flipped.
    """

    size: int  # side of a view in pixels
    squash_first: bool
    flips: bool  # whether half of the views are mirrored

    @classmethod
    def by_name(cls, transform: str, size: int, flips: bool) -> Self:
        """The augmentation that the config's `train_transform` names."""
        return cls(size, transform == "dassl_legacy", flips)


def random_numbers(seed: int, image: str, views: int) -> np.ndarray:
    """Uniform numbers (views, 23) of an image's views: those of a view depend on nothing else."""
    name = int.from_bytes(hashlib.sha256(image.encode()).digest()[:8], "big")
    return random_stream("views", seed, name).random((views, RANDOM_NUMBERS))


def crop_boxes(uniform: np.ndarray, height: int, width: int) -> np.ndarray:
    """Boxes (V, 4) of top, left, height, width: torchvision's RandomResizedCrop.

    Of ten random areas and aspects the first that fits into the image is taken, at a random place;
    where none fits, the largest box in the middle whose aspect is in bounds.
    """
    area = height * width * (AREA[0] + (AREA[1] - AREA[0]) * uniform[:, :ATTEMPTS])
    low, high = np.log(ASPECT)
    aspect = np.exp(low + (high - low) * uniform[:, ATTEMPTS : 2 * ATTEMPTS])
    widths, heights = np.rint(np.sqrt(area * aspect)), np.rint(np.sqrt(area / aspect))
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    first, views = fits.argmax(axis=1), np.arange(len(uniform))
    h, w = heights[views, first], widths[views, first]
    top = np.floor(uniform[:, 2 * ATTEMPTS] * (height - h + 1))
    left = np.floor(uniform[:, 2 * ATTEMPTS + 1] * (width - w + 1))
    central_h = min(height, round(width / ASPECT[0]))
    central_w = min(width, round(height * ASPECT[1]))
    central = [(height - central_h) // 2, (width - central_w) // 2, central_h, central_w]
    found = fits.any(axis=1)[:, None]
    return np.where(found, np.stack([top, left, h, w], axis=1), central).astype(int)


def augmented_views(image: Tensor, uniform: np.ndarray, augmentation: Augmentation) -> Tensor:
    """Views (V, 3, size, size) of an image (3, H, W), both uint8, on the image's device."""
    bicubic, square = InterpolationMode.BICUBIC, [augmentation.size] * 2
    if augmentation.squash_first:
        image = F.resize(image, square, bicubic, antialias=True)
    mirrored = F.horizontal_flip(image)
    flipped = augmentation.flips & (uniform[:, -1] < 0.5)
    boxes = crop_boxes(uniform, *image.shape[-2:])

    def view(box: np.ndarray, flip: bool) -> Tensor:
        source = mirrored if flip and augmentation.squash_first else image
        cropped: Tensor = F.resized_crop(source, *box.tolist(), square, bicubic, antialias=True)
        flips_after: bool = flip and not augmentation.squash_first
        return cropped.flip(-1) if flips_after else cropped

    return stacked([view(box, flip) for box, flip in zip(boxes, flipped, strict=True)])


def encoded_views(
    encoder: ImageEncoder,
    images: Sequence[str],
    folder: Path,
    seed: int,
    views: int,
    augmentation: Augmentation,
    threads: int = 1,
    background: str = "white",
) -> Iterator[np.ndarray]:
    """Features (views, n, D) of the images in order, in float16, not normalised.

    `images` are paths below `folder`; transparent ones stand on `background`. A GPU makes the
    views itself; without one, the threads that decode the images do.
    """
    device = encoder.backbone.device
    on_gpu = device.type == "cuda"

    def augmented(name: str, pixels: Tensor) -> Tensor:
        return augmented_views(pixels, random_numbers(seed, name, views), augmentation)

    def prepared(name: str) -> Tensor:
        pixels = read_pixels(folder / name, background)
        return pixels.pin_memory() if on_gpu else augmented(name, pixels)

    ahead = 2 * threads if on_gpu else max(threads, encoder.ahead // views)
    ready = zip(images, computed_ahead(prepared, images, threads, ahead), strict=True)
    together = max(1, encoder.batch // views)
    while batch := list(islice(ready, together)):
        if on_gpu:
            batch = [(name, augmented(name, p.to(device, non_blocking=True))) for name, p in batch]
        features = encoder(torch.cat([pixels for _, pixels in batch]))
        yield features.unflatten(0, (-1, views)).transpose(0, 1).numpy()
