"""GPU slots: which of this machine's GPUs a process computes on. Without torch.

A slot is a lock on a file of its own, `share` of them a GPU. The kernel ties the lock (flock) to
the process that holds it: one that dies, by SIGKILL too, frees its slot, so no lock is ever stale.
"""

import fcntl
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

# Set in a job of SLURM, PBS and LSF.
SCHEDULER_JOBS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID")


@dataclass(frozen=True)
class Slot:
    """A share of a GPU, held while this object lives."""

    gpu: int  # position among the GPUs that the process sees
    lock: IO[str]  # closed, by hand or with the process, it is free again


def slot_folder() -> Path:
    """The folder of this user's slots on this machine.

    Below the temporary folder, which is the node's own on clusters; the host's name keeps machines
    apart where it is shared after all.
    """
    return Path(tempfile.gettempdir()) / f"ptnl-gpus-{os.getuid()}-{socket.gethostname()}"


def claim_slot(gpus: Sequence[str], share: int, folder: Path, poll: float = 0.5) -> Slot:
    """Take a free slot; while there is none, say so once on standard error and wait.

    The first slot of every GPU comes before the second of any, so that jobs spread.

    Parameters
    ----------
    gpus : a name for each GPU that every process of this machine would give it, such as its UUID
    share : slots of a GPU
    folder : where the locks lie, on a file system of this machine
    poll : seconds between looks
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    waits = False
    while True:
        for number in range(share):
            for position, gpu in enumerate(gpus):
                lock = _locked(folder / f"{gpu}.{number}")
                if lock is not None:
                    return Slot(position, lock)
        if not waits:
            seen = f"{len(gpus)} visible, gpu_share {share}, every slot taken"
            print(f"waiting for a GPU: {seen}", file=sys.stderr, flush=True)
            waits = True
        time.sleep(poll)


def _locked(path: Path) -> IO[str] | None:
    """The file at `path`, locked; None where another process holds it."""
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def is_assigned(gpus: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether a scheduler has chosen the GPU already: a job of its that sees one.

    It may give that GPU to several jobs, in its own way: they do not wait for each other here.
    """
    return len(gpus) == 1 and any(name in environment for name in SCHEDULER_JOBS)


def has_gpu() -> bool:
    """Whether this machine shows a GPU, asked of its driver: importing torch takes seconds."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in ("", "-1") or not shutil.which("nvidia-smi"):
        return False
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return "GPU" in listed.stdout and listed.returncode == 0
