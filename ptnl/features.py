"""Image features: every image through the image encoder once."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from ptnl.backbones.loading import LoadedBackbone
from ptnl.errors import InputError


def read_image(path: Path) -> Image.Image:
    """Decode an image; an unreadable one is an `InputError` that names it."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, UnidentifiedImageError, ValueError) as error:
        raise InputError(f"{path}: not readable as an image ({error})") from error


def image_batches(
    paths: Sequence[Path], transform, batch_size: int, threads: int
) -> Iterator[torch.Tensor]:
    """Decoded and transformed batches, one ahead of the encoder."""
    with ThreadPoolExecutor(threads) as pool:

        def submit(start: int) -> list:
            part = paths[start : start + batch_size]
            return [pool.submit(lambda path: transform(read_image(path)), path) for path in part]

        ahead = submit(0)
        for start in range(batch_size, len(paths) + batch_size, batch_size):
            current, ahead = ahead, submit(start)
            yield torch.stack([future.result() for future in current])


@torch.inference_mode()
def encode_images(
    backbone: LoadedBackbone, paths: Sequence[Path], batch_size: int = 256, threads: int = 1
) -> np.ndarray:
    """Image features (len(paths), D) in float16, not normalised, under the test transform."""
    features = np.empty((len(paths), backbone.dimensions), np.float16)
    batches = image_batches(paths, backbone.transform, batch_size, threads)
    with tqdm(total=len(paths), unit="image", disable=None) as progress:
        start = 0
        for batch in batches:
            encoded = backbone.encode_image(batch.to(backbone.device))
            features[start : start + len(batch)] = encoded.float().cpu().numpy()
            start += len(batch)
            progress.update(len(batch))
    return features
