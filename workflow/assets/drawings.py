"""Keep all drawings of pre-training in the memory of a device, and paint batches there."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from looks import COLOURS, PALETTE
from open_clip import OPENAI_DATASET_MEAN, OPENAI_DATASET_STD
from PIL import Image
from torch import Tensor


class Drawings:
    """Opacity of the monochrome drawings, RGBA of the coloured ones."""

    def __init__(self, rows: pd.DataFrame, device: torch.device, threads: int):
        coloured = rows.coloured.to_numpy()
        slot = np.where(coloured, np.cumsum(coloured), np.cumsum(~coloured)) - 1
        opacity = np.zeros((max(1, int((~coloured).sum())), 64, 64), np.uint8)
        rgba = np.zeros((max(1, int(coloured.sum())), 64, 64, 4), np.uint8)

        def decode(own: bool, place: int, png: bytes) -> None:
            (rgba if own else opacity)[place] = np.asarray(Image.open(io.BytesIO(png)))

        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(decode, coloured, slot, rows.png))
        self.coloured, self.slot = coloured, slot
        self.opacity = torch.from_numpy(opacity).to(device)
        self.rgba = torch.from_numpy(rgba).permute(0, 3, 1, 2).to(device)
        self.palette = torch.tensor([PALETTE[colour] for colour in COLOURS], device=device) / 255
        self.mean, self.std = (
            torch.tensor(values, device=device)[:, None, None]
            for values in (OPENAI_DATASET_MEAN, OPENAI_DATASET_STD)
        )

    def paint(self, index: Tensor, ink: Tensor, paper: Tensor, affine: Tensor) -> Tensor:
        """Images (batch, 3, 64, 64), normalised as CLIP's are.

        Parameters
        ----------
        index : (batch) rows of the table, on the CPU
        ink, paper : (batch) indices of colours; a coloured drawing keeps its own colours, not ink
        affine : (batch, 2, 3) maps each output pixel to its place in the drawing
        """
        device = self.opacity.device
        own = torch.from_numpy(np.flatnonzero(self.coloured[index]))
        slot = torch.from_numpy(self.slot[index])
        # Slots of coloured drawings may be too large here; what they give is overwritten below.
        mono = slot.clamp(max=len(self.opacity) - 1).to(device, non_blocking=True)
        opacity = self.opacity[mono][:, None].float() / 255
        rgba = torch.cat([opacity * self.palette[ink][:, :, None, None], opacity], dim=1)
        if len(own):
            found = self.rgba[slot[own].to(device, non_blocking=True)].float() / 255
            found[:, :3] *= found[:, 3:]
            rgba[own.to(device, non_blocking=True)] = found
        grid = F.affine_grid(affine, list(rgba.shape), align_corners=False)
        moved = F.grid_sample(rgba, grid, align_corners=False)
        image = moved[:, :3] + (1 - moved[:, 3:]) * self.palette[paper][:, :, None, None]
        return ((image - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
