"""The device that a command computes on."""

import os
import sys
from functools import cache

import torch

from ptnl.errors import InputError
from ptnl.machine.gpus import Slot, claim_slot, is_assigned, slot_folder


def choose_device(name: str, gpu_share: int = 1) -> torch.device:
    """The device that a config names, said once on standard error.

    `auto` is the CPU where torch finds no GPU, and else a GPU with a free slot among those that
    CUDA_VISIBLE_DEVICES leaves; the slot is this process's until it ends.

    Parameters
    ----------
    name : `auto`, `cpu`, `cuda` or `cuda:N`
    gpu_share : processes that may compute on a GPU at once; no limit where a GPU is named
    """
    if name == "auto":
        device = _slot_device(gpu_share) if torch.cuda.is_available() else torch.device("cpu")
    elif name.startswith("cuda") and not torch.cuda.is_available():
        raise InputError(f"device {name!r} asked for, but torch finds no GPU")
    else:
        device = torch.device(name)
    if device.type == "cuda":
        device = torch.device("cuda", device.index or 0)
        torch.cuda.set_device(device)
        what = torch.cuda.get_device_name(device)
    else:
        what = "torch finds no GPU" if name == "auto" else "as asked for"
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "not set")
    print(f"device: {device} ({what}; CUDA_VISIBLE_DEVICES: {visible})", file=sys.stderr)
    return device


def _slot_device(gpu_share: int) -> torch.device:
    gpus = tuple(
        str(torch.cuda.get_device_properties(n).uuid) for n in range(torch.cuda.device_count())
    )
    if is_assigned(gpus, os.environ):
        return torch.device("cuda", 0)
    return torch.device("cuda", _own_slot(gpus, gpu_share).gpu)


@cache
def _own_slot(gpus: tuple[str, ...], gpu_share: int) -> Slot:
    """Slot of this process, which the cache holds until the process ends."""
    return claim_slot(gpus, gpu_share, slot_folder())
