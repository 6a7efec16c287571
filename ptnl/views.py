"""Augmented views: every crop and flip that a seed's training will see, encoded once.

The reference code crops, flips and encodes every training image anew at every step. But what a
step sees depends on the seed, the image and the epoch alone, and not on the method, the loss, the
labels or the noise rate: so all runs of a seed can share the features of its views.
"""

import hashlib
import math
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F
from tqdm import tqdm

from ptnl.backbones.loading import LoadedBackbone
from ptnl.features import read_image
from ptnl.io import atomic_path

# RandomResizedCrop's defaults, which CoOp and PTNL use.
AREA, ASPECT = (0.08, 1.0), (3 / 4, 4 / 3)
ATTEMPTS = 10
RANDOM_NUMBERS = 2 * ATTEMPTS + 3  # of a view: areas, aspects, top, left, flip

ENCODER_BATCH = 256  # views in one call of the image encoder, or those of one image if more
SHARD_IMAGES = 64  # images whose views are kept at once: what a killed job does again at most


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


def random_numbers(seed: int, image: str, views: int) -> np.ndarray:
    """Uniform numbers (views, 23) of an image's views: those of a view depend on nothing else."""
    name = int.from_bytes(hashlib.sha256(image.encode()).digest()[:8], "big")
    return np.random.default_rng([seed, name]).random((views, RANDOM_NUMBERS))


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
        if augmentation.squash_first:
            source = mirrored if flip else image
            return F.resized_crop(source, *box.tolist(), square, bicubic, antialias=True)
        cropped = F.resized_crop(image, *box.tolist(), square, bicubic, antialias=True)
        return F.horizontal_flip(cropped) if flip else cropped

    return torch.stack([view(box, flip) for box, flip in zip(boxes, flipped, strict=True)])


def _decoded(paths: Sequence[Path], device: torch.device, threads: int) -> Iterator[Tensor]:
    """Images (3, H, W) as uint8 on the device, in order, decoded once."""
    with ThreadPoolExecutor(threads) as pool:
        for image in pool.map(read_image, paths):
            yield F.pil_to_tensor(image).to(device)


def _encode_shard(
    backbone: LoadedBackbone,
    paths: Sequence[Path],
    uniform: Sequence[np.ndarray],
    augmentation: Augmentation,
    threads: int,
) -> np.ndarray:
    """Features (V, len(paths), D) in float16, a few images' views at a time."""
    views = len(uniform[0])
    images = _decoded(paths, backbone.device, threads)
    augmented = (
        augmented_views(image, numbers, augmentation)
        for image, numbers in zip(images, uniform, strict=True)
    )
    together = max(1, ENCODER_BATCH // views)
    features = []
    for _ in range(math.ceil(len(paths) / together)):
        pixels = torch.cat(list(islice(augmented, together)))
        encoded = backbone.encode_image(backbone.normalise(pixels))
        features.append(encoded.half().unflatten(0, (-1, views)).cpu())
    return torch.cat(features).transpose(0, 1).numpy()


@torch.inference_mode()
def encode_views(
    backbone: LoadedBackbone,
    images: Sequence[str],
    folder: Path,
    seed: int,
    views: int,
    augmentation: Augmentation,
    out: Path,
    shards: Path,
    threads: int = 1,
) -> None:
    """Write the features (views, len(images), D) of a seed's views to `out` (NPY, float16).

    They are not normalised. `images` are paths below `folder`. Each finished shard of images is
    kept in the folder `shards` until the whole is written: a killed call goes on behind them, and
    ends with the same bytes.
    """
    starts = range(0, len(images), SHARD_IMAGES)
    with tqdm(total=len(images) * views, unit="view", disable=None) as progress:
        for start in starts:
            names = images[start : start + SHARD_IMAGES]
            shard = shards / f"{start:08d}.npy"
            if not shard.exists():
                features = _encode_shard(
                    backbone,
                    [folder / name for name in names],
                    [random_numbers(seed, name, views) for name in names],
                    augmentation,
                    threads,
                )
                with atomic_path(shard) as temporary:
                    np.save(temporary, features)
            progress.update(len(names) * views)
    shape = (views, len(images), backbone.dimensions)
    with atomic_path(out) as temporary:
        whole = np.lib.format.open_memmap(temporary, "w+", np.float16, shape)
        for start in starts:
            part = np.load(shards / f"{start:08d}.npy", mmap_mode="r")
            whole[:, start : start + SHARD_IMAGES] = part
        whole.flush()
    shutil.rmtree(shards)
