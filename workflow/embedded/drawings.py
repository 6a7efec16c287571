"""Batches of drawings, painted in random colours and moved a little."""

import io
import math

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from captions import COLOURS, PALETTE, Look, draw_look
from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from PIL import Image
from tqdm import tqdm


class Drawings:
    """All drawings in memory: opacity of the monochrome ones, RGBA of the coloured ones."""

    def __init__(self, rows: pd.DataFrame):
        self.name = rows.name.to_numpy()
        self.coloured = rows.coloured.to_numpy()
        self.slot = np.where(self.coloured, np.cumsum(self.coloured), np.cumsum(~self.coloured)) - 1
        self.opacity = np.empty((int((~self.coloured).sum()), 64, 64), np.uint8)
        self.rgba = np.empty((int(self.coloured.sum()), 64, 64, 4), np.uint8)
        for i, png in enumerate(tqdm(rows.png, desc="decode", disable=None)):
            store = self.rgba if self.coloured[i] else self.opacity
            store[self.slot[i]] = np.asarray(Image.open(io.BytesIO(png)))

    def paint(self, index: np.ndarray, ink: np.ndarray, paper: np.ndarray) -> torch.Tensor:
        """Drawings as premultiplied RGBA (batch, 4, 64, 64) in [0, 1], monochrome ones in `ink`."""
        out = torch.empty(len(index), 4, 64, 64)
        colour = torch.tensor([PALETTE[COLOURS[i]] for i in ink]) / 255
        own = self.coloured[index]
        if (~own).any():
            opacity = torch.from_numpy(self.opacity[self.slot[index[~own]]]).float()[:, None] / 255
            painted = opacity * colour[~own][:, :, None, None]
            out[~own] = torch.cat([painted, opacity], dim=1)
        if own.any():
            rgba = torch.from_numpy(self.rgba[self.slot[index[own]]]).permute(0, 3, 1, 2) / 255
            out[own] = torch.cat([rgba[:, :3] * rgba[:, 3:], rgba[:, 3:]], dim=1)
        return out


def random_affine(rng: np.random.Generator, batch_size: int) -> torch.Tensor:
    """Small scalings, shifts and turns (batch, 2, 3); no flips, which would change the name."""
    angle = rng.normal(0, math.radians(4), batch_size)
    scale = 1 / rng.uniform(0.75, 1.1, batch_size)
    aspect = np.exp(rng.normal(0, 0.05, batch_size))
    shift = rng.uniform(-0.12, 0.12, (2, batch_size))
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    theta = [[cos * aspect, -sin, shift[0]], [sin, cos / aspect, shift[1]]]
    return torch.tensor(np.array(theta), dtype=torch.float32).permute(2, 0, 1)


def compose(painted: torch.Tensor, paper: np.ndarray, theta: torch.Tensor) -> torch.Tensor:
    """Moved drawings on their paper, normalised as CLIP's images are: (batch, 3, 64, 64)."""
    grid = F.affine_grid(theta, list(painted.shape), align_corners=False)
    moved = F.grid_sample(painted, grid, align_corners=False)
    colour = (torch.tensor([PALETTE[COLOURS[i]] for i in paper]) / 255)[:, :, None, None]
    image = moved[:, :3] + (1 - moved[:, 3:]) * colour
    mean, std = (torch.tensor(v)[:, None, None] for v in (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD))
    return ((image - mean) / std).contiguous(memory_format=torch.channels_last)


def painted_batch(
    drawings: Drawings, index: np.ndarray, rng: np.random.Generator
) -> tuple[torch.Tensor, Look]:
    """Drawings as images (batch, 3, 64, 64), normalised, and how they look."""
    look = draw_look(rng, len(index))
    painted = drawings.paint(index, look.ink, look.paper)
    return compose(painted, look.paper, random_affine(rng, len(index))), look
