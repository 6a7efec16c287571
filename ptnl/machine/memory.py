"""Memory: the budget for activations, and how the C library treats freed tensors."""

import ctypes
import sys

import torch

# Options of glibc's mallopt, by their numbers in malloc.h.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_KEPT = 32 * 2**20  # bytes; glibc takes no larger threshold
MOST_KEPT = 2**31 - 1  # bytes; the largest value of the option


CPU_ACTIVATIONS = 3 * 2**29  # bytes
GPU_ACTIVATIONS = 1 / 4  # share of a GPU's memory, which up to four jobs use at once


def activation_budget(device: torch.device) -> int:
    """Bytes that may wait on a device for the backward pass; what does not fit is recomputed."""
    if device.type != "cuda":
        return CPU_ACTIVATIONS
    return int(GPU_ACTIVATIONS * torch.cuda.get_device_properties(device).total_memory)


def keep_freed_memory() -> bool:
    """Let this process keep freed memory for its next tensors; whether the C library can.

    A training step allocates the same tensors again and again. When the backward pass has freed
    them, glibc gives the memory back to the system, which fills fresh pages with zeros at the next
    step, one page fault for every 4 KiB: a tenth to a fifth of a small model's step. Call it
    before the first tensor.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # musl
        return False
    is_set = [mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT), mallopt(M_TRIM_THRESHOLD, MOST_KEPT)]
    return all(is_set)
