"""In which number type a model computes, by the device it runs on.

Weights and prompts are float32 everywhere; what is chosen is the type of the large products, by
autocasting, which keeps norms, sums and losses in float32.
"""

from contextlib import AbstractContextManager
from typing import NamedTuple

import torch

# The first NVIDIA GPUs that multiply bfloat16 in hardware: Ampere.
BFLOAT16_CAPABILITY = (8, 0)


class Dtypes(NamedTuple):
    """The types of the products in a CLIP model."""

    image: torch.dtype  # in the image encoder, which is frozen
    text: torch.dtype  # in the text tower, in training


ALL_FLOAT32 = Dtypes(torch.float32, torch.float32)


def dtypes_for(device_type: str, capability: tuple[int, int] | None) -> Dtypes:
    """The fastest types that leave the results what they are.

    The CPU computes in float32: half-precision gains nothing there. On a GPU the image encoder
    computes in float16, as CLIP's own does: nothing in it is trained, and its features are stored
    in float16. In the text tower, through which gradients flow, float16 would lose small gradients
    or need the loss scaled; bfloat16 has float32's range, and where the GPU lacks it (`capability`,
    as CUDA gives it, below 8.0) the tower computes in float32.
    """
    if device_type != "cuda":
        return ALL_FLOAT32
    has_bfloat16 = capability is not None and capability >= BFLOAT16_CAPABILITY
    return Dtypes(torch.float16, torch.bfloat16 if has_bfloat16 else torch.float32)


def choose_dtypes(device: torch.device, precision: str) -> Dtypes:
    """The types that a config's `precision` means on a device: `auto`, or `float32` for all."""
    if precision == "float32":
        return ALL_FLOAT32
    is_gpu = device.type == "cuda"
    return dtypes_for(device.type, torch.cuda.get_device_capability(device) if is_gpu else None)


def computing_in(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """A context in which products are computed in `dtype`."""
    return torch.autocast(device.type, dtype, enabled=dtype is not torch.float32)
