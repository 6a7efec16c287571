"""Image features: every image through the image encoder once."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from open_clip.transform import PreprocessCfg
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from ptnl.backbones.loading import LoadedBackbone
from ptnl.errors import InputError
from ptnl.features.decoding import read_image
from ptnl.features.images import computed_ahead, read_pixels

MIB = 2**20
# Bytes of a batch in the encoder's most demanding layer. A CPU is fastest while they stay near its
# caches; a GPU needs more to be kept busy.
BATCH_BYTES = {"cpu": 32 * MIB, "cuda": 1024 * MIB}
AHEAD_BYTES = 64 * MIB  # of images that are decoded and wait for the encoder


class ImageEncoder:
    """The image encoder of a backbone on uint8 images, as many at once as fit its device.

    `dimension` is D, that of the features; `batch` is the number of images at once.
    """

    def __init__(self, backbone: LoadedBackbone):
        self.backbone = backbone
        self.dimension, needs = self._measure()
        self.batch = max(1, BATCH_BYTES[backbone.device.type] // needs)

    @property
    def ahead(self) -> int:
        """Prepared images (3, size, size) that may wait for the encoder."""
        return max(1, AHEAD_BYTES // (3 * self.backbone.image_size**2))

    @torch.inference_mode()
    def __call__(self, pixels: Tensor) -> Tensor:
        """Features (N, D) in float16 on the CPU, not normalised, of uint8 images (N, 3, S, S)."""
        features = [self._encode(part) for part in pixels.split(self.batch)]
        return torch.cat(features).cpu()

    def _encode(self, pixels: Tensor) -> Tensor:
        device = self.backbone.device
        # Convolutions are fastest where the channels lie innermost.
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        if device.type == "cuda" and not pixels.is_cuda:
            pixels = pixels.pin_memory()  # so that the copy runs beside what the GPU computes
        pixels = self.backbone.normalise(pixels.to(device, non_blocking=True))
        return self.backbone.encode_image(pixels).half()

    def _measure(self) -> tuple[int, int]:
        """D, and the bytes of the inputs and outputs of the largest layer, for one image."""
        layers = [m for m in self.backbone.model.visual.modules() if not list(m.children())]
        largest = 0

        def measure(layer: nn.Module, inputs: tuple[object, ...], output: object) -> None:
            nonlocal largest
            outputs = output if isinstance(output, tuple) else (output,)
            tensors = [value for value in (*inputs, *outputs) if isinstance(value, Tensor)]
            largest = max(largest, sum(tensor.nbytes for tensor in tensors))

        hooks = [layer.register_forward_hook(measure) for layer in layers]
        size = self.backbone.image_size
        try:
            with torch.inference_mode():
                features = self._encode(torch.zeros(1, 3, size, size, dtype=torch.uint8))
        finally:
            for hook in hooks:
                hook.remove()
        return features.shape[-1], largest


def prepared(pixels: Tensor, size: int, preprocess: PreprocessCfg) -> Tensor:
    """The test transform of an image (3, H, W) but for its normalisation: (3, size, size), uint8.

    On tensors it costs half of what it does on Pillow's images. Of the values about one in two
    hundred is off by one level of 255 (by two at most where an image is enlarged), because torch
    rounds its bicubic weights to 16 bits: the features differ by as much as float16 rounds them.
    """
    bilinear = preprocess.interpolation == "bilinear"
    how = InterpolationMode.BILINEAR if bilinear else InterpolationMode.BICUBIC
    resized: Tensor
    if preprocess.resize_mode == "squash":
        resized = F.resize(pixels, [size, size], how, antialias=True)
    elif preprocess.resize_mode == "shortest":
        shortest = F.resize(pixels, [size], how, antialias=True)
        resized = F.center_crop(shortest, [size, size])
    else:
        raise InputError(f"images for this backbone are resized by {preprocess.resize_mode!r}")
    return resized


def stacked(images: Sequence[Tensor]) -> Tensor:
    """Images (3, H, W) as one batch (N, 3, H, W) with the channels innermost in memory.

    Decoding leaves them so, and encoders want them so. `torch.stack` alone sorts them by channel,
    which then has to be undone, all in the one thread that feeds the encoder.
    """
    return torch.stack([image.permute(1, 2, 0) for image in images]).permute(0, 3, 1, 2)


def encoded_batches(
    encoder: ImageEncoder, paths: Sequence[Path], threads: int = 1, background: str = "white"
) -> Iterator[np.ndarray]:
    """Features (n, D) of the images in order, in float16, not normalised, under the test transform.

    Images are decoded by `threads` threads while the encoder runs; transparent ones stand on
    `background`.
    """
    size, preprocess = encoder.backbone.image_size, encoder.backbone.preprocess
    images = computed_ahead(
        lambda path: prepared(read_pixels(path, background), size, preprocess),
        paths,
        threads,
        encoder.ahead,
    )
    while batch := list(islice(images, encoder.batch)):
        yield encoder(stacked(batch)).numpy()


def image_batches(
    paths: Sequence[Path],
    transform: Callable[[Image.Image], Tensor],
    batch_size: int,
    threads: int,
    background: str = "white",
) -> Iterator[Tensor]:
    """Decoded and transformed batches, one ahead of who takes them."""
    images = computed_ahead(
        lambda path: transform(read_image(path, background)), paths, threads, ahead=batch_size
    )
    while batch := list(islice(images, batch_size)):
        yield torch.stack(batch)
