"""Slots on GPUs, taken by real processes; the GPUs are only names."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ptnl.errors import InputError
from ptnl.machine import gpus
from ptnl.machine.devices import choose_device

TWO = ("gpu-a", "gpu-b")
HOLD = """
import sys, time
from pathlib import Path
from ptnl.machine.gpus import claim_slot
slot = claim_slot(sys.argv[3:], int(sys.argv[2]), Path(sys.argv[1]), poll=0.02)
print(sys.argv[3 + slot.gpu], flush=True)
sys.stdin.read()
"""


class Job:
    """A process that takes a slot and keeps it."""

    def __init__(self, folder: Path, share: int = 1, visible: tuple[str, ...] = TWO):
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(folder), str(share), *visible],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def gpu(self) -> str:
        """The GPU of the slot that it takes; returns once it has one."""
        return self.process.stdout.readline().strip()

    def message(self) -> str:
        """What it prints while it waits for a slot."""
        return self.process.stderr.readline()


@pytest.fixture
def job(tmp_path) -> Iterator:
    with contextlib.ExitStack() as stack:

        def start(*arguments) -> Job:
            started = Job(tmp_path / "slots", *arguments)
            stack.enter_context(started.process)
            stack.callback(started.process.kill)
            return started

        yield start


def test_two_jobs_take_different_gpus(job):
    assert {job().gpu(), job().gpu()} == set(TWO)


def test_jobs_that_start_at_once_take_different_gpus(job):
    started = [job() for _ in range(2)]
    assert {one.gpu() for one in started} == set(TWO)


def test_shared_gpus_fill_evenly(job):
    assert [job(2).gpu() for _ in range(4)] == [*TWO, *TWO]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_waits_until_one_dies(job, how):
    holders = [job(), job()]
    places = [holder.gpu() for holder in holders]
    waiting = job()
    assert waiting.message() == "waiting for a GPU: 2 visible, gpu_share 1, every slot taken\n"
    holders[1].process.send_signal(how)
    assert waiting.gpu() == places[1]


def test_only_visible_gpus_are_taken(job):
    assert job(1, ("gpu-b",)).gpu() == "gpu-b"
    assert job(1, TWO).gpu() == "gpu-a"
    assert job(1, ("gpu-b",)).message().startswith("waiting for a GPU: 1 visible")


def test_a_slot_is_free_when_its_lock_is_closed(tmp_path, monkeypatch):
    slot = gpus.claim_slot(TWO, 1, tmp_path)
    slot.lock.close()
    monkeypatch.setattr(gpus.time, "sleep", lambda _: pytest.fail("a free slot was not taken"))
    assert gpus.claim_slot(TWO, 1, tmp_path).gpu == slot.gpu == 0


def test_a_gpu_that_a_scheduler_assigned_is_used_without_a_slot():
    assert gpus.is_assigned(["gpu-b"], {"SLURM_JOB_ID": "7"})
    assert not gpus.is_assigned(["gpu-b"], {"CUDA_VISIBLE_DEVICES": "1"})  # chosen by a user
    assert not gpus.is_assigned(TWO, {"SLURM_JOB_ID": "7"})  # jobs share an allocation of two


@pytest.mark.parametrize(
    ("says", "visible", "found"),
    [
        ("echo 'GPU 0: H100 (UUID: GPU-1)'", None, True),
        ("echo 'GPU 0: H100 (UUID: GPU-1)'", "", False),
        ("echo 'NVIDIA-SMI has failed'; exit 9", None, False),
    ],
)
def test_has_gpu_asks_the_driver(tmp_path, monkeypatch, says, visible, found):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{says}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus.has_gpu() == found


def test_without_a_gpu_the_device_is_the_cpu(monkeypatch, capsys):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    assert choose_device("auto").type == "cpu"
    printed = capsys.readouterr().err
    assert printed == "device: cpu (torch finds no GPU; CUDA_VISIBLE_DEVICES: 1)\n"
    with pytest.raises(InputError, match="device 'cuda:1' asked for, but torch finds no GPU"):
        choose_device("cuda:1")


class FakeCuda:
    """Two GPUs as torch shows them."""

    def __init__(self, uuids: list[str]):
        self.uuids = uuids
        self.current = None

    def patch(self, monkeypatch) -> None:
        monkeypatch.setattr("torch.cuda.is_available", lambda: True)
        monkeypatch.setattr("torch.cuda.device_count", lambda: len(self.uuids))
        monkeypatch.setattr("torch.cuda.get_device_name", lambda device: "H100")
        monkeypatch.setattr(
            "torch.cuda.get_device_properties",
            lambda n: type("Properties", (), {"uuid": self.uuids[n]}),
        )
        monkeypatch.setattr(
            "torch.cuda.set_device", lambda device: setattr(self, "current", device)
        )


def test_auto_chooses_the_free_gpu(tmp_path, monkeypatch, capsys):
    fake = FakeCuda(["taken", "free"])
    fake.patch(monkeypatch)
    monkeypatch.setattr("ptnl.machine.devices.slot_folder", lambda: tmp_path)
    held = gpus.claim_slot(["taken"], 1, tmp_path)
    device = choose_device("auto")
    assert (device.type, device.index) == ("cuda", 1)
    assert fake.current == device
    assert choose_device("auto") == device  # the process keeps its slot
    assert "device: cuda:1 (H100; CUDA_VISIBLE_DEVICES: " in capsys.readouterr().err
    held.lock.close()


def test_a_slurm_job_takes_the_gpu_that_it_sees(tmp_path, monkeypatch):
    FakeCuda(["given"]).patch(monkeypatch)
    monkeypatch.setattr("ptnl.machine.devices.slot_folder", lambda: tmp_path)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    held = gpus.claim_slot(["given"], 1, tmp_path)
    assert choose_device("auto").index == 0
    held.lock.close()
