"""In which number type a model computes, by the device it runs on.

Weights and prompts are float32 everywhere; what is chosen is the type of the large products. Norms,
sums and losses stay in float32: in image encoders by autocasting, in the text tower by `rounded`.
"""

from contextlib import AbstractContextManager
from typing import NamedTuple

import torch

from ptnl.errors import InputError

# The first NVIDIA GPUs that multiply bfloat16 in hardware: Ampere.
BFLOAT16_CAPABILITY = (8, 0)
# What processors of Intel and AMD call it, in torch's list of a CPU's capabilities.
BFLOAT16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")


class Dtypes(NamedTuple):
    """The types of the products in a CLIP model."""

    image: torch.dtype  # in the image encoder, which is frozen
    text: torch.dtype  # in the text tower, in training


ALL_FLOAT32 = Dtypes(torch.float32, torch.float32)


def dtypes_for(device_type: str, capability: tuple[int, int] | None) -> Dtypes:
    """The types of `auto`.

    The CPU computes in float32, which is exact. On a GPU the image encoder
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
    """The types that a config's `precision` means on a device.

    `auto` is what `dtypes_for` says, `float32` is that for everything, and `bfloat16` is like
    `auto`, but in training the text tower's products are in bfloat16 on a CPU, too.

    Raises `InputError` where bfloat16 is asked for, and the device does not multiply it.
    """
    if precision == "float32":
        return ALL_FLOAT32
    is_gpu = device.type == "cuda"
    chosen = dtypes_for(device.type, torch.cuda.get_device_capability(device) if is_gpu else None)
    if precision == "auto" or chosen.text is torch.bfloat16:
        return chosen
    if device.type != "cpu" or not multiplies_bfloat16():
        needed = {
            "cpu": "a processor with AVX512_BF16 or AMX",
            "cuda": "a GPU of compute capability 8.0 or more",
        }.get(device.type, "a CPU or an NVIDIA GPU")
        raise InputError(f"precision bfloat16 needs {needed}; say auto or float32")
    return Dtypes(torch.float32, torch.bfloat16)


def multiplies_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 in hardware, in a way that torch uses."""
    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is None:  # older torch cannot tell
        return False
    return any(capabilities().get(name, False) for name in BFLOAT16_INSTRUCTIONS)


def computing_in(dtype: torch.dtype, device: torch.device) -> AbstractContextManager[object]:
    """A context in which products are computed in `dtype`.

    Left to itself, torch rounds what a convolution on a GPU multiplies to 10 bits, in float32 too.
    """
    if dtype is torch.float32 and device.type == "cuda":
        return torch.backends.cudnn.flags(enabled=True, allow_tf32=False)
    return torch.autocast(device.type, dtype, enabled=dtype is not torch.float32)
