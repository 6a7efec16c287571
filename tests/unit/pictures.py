"""Makes pictures for tests."""

import numpy as np
import torch
from PIL import Image


def photograph(seed: int = 0, height: int = 60, width: int = 90) -> Image.Image:
    """Smooth colours with a few edges: unlike noise, they show how an image is interpolated."""
    y, x = np.mgrid[:height, :width] / 10
    stream = np.random.default_rng(seed)
    phases = stream.uniform(0, 6, (3, 1, 1))
    waves = np.sin(x + phases) * np.cos(0.7 * y + phases) + 0.5 * (x + y > 9)
    pixels = np.interp(waves, (-1, 1.5), (0, 255)).astype(np.uint8)
    return Image.fromarray(np.moveaxis(pixels, 0, -1))


def tensor(image: Image.Image) -> torch.Tensor:
    """The pixels of an image, (3, H, W) in uint8."""
    return torch.from_numpy(np.array(image)).movedim(-1, 0)
