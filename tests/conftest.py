"""Fixtures: a tiny CLIP of open_clip's own classes, and the repository's root.

Nothing that takes seconds to import is imported at the top: the process that hands the tests out to
the workers reads this file too, and the workers start after that.
"""

import atexit
import gc
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

from tests import warm

if TYPE_CHECKING:
    from open_clip import CLIP
    from open_clip.tokenizer import SimpleTokenizer

    from ptnl.backbones.loading import LoadedBackbone

ROOT = Path(__file__).parents[1]

TINY = {
    "embed_dim": 16,
    "vision_cfg": {"layers": 1, "width": 16, "head_width": 8, "patch_size": 16, "image_size": 32},
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 32,
        "heads": 4,
        "layers": 3,
    },
}

# Tests run side by side: threads of many processes on few cores wait for each other. This is for
# the processes that tests start; `one_thread` is for their own.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Python looks through all objects now and then for some that it can free. Imported modules and
# collected tests are millions of objects and stay until the end. So here it looks rarely, and
# leaves out what is there when the tests begin (`gc.freeze`). At the end, all can be freed again.
gc.set_threshold(100_000, 20, 100)
atexit.register(gc.unfreeze)

# How long an example takes, or the making of one, says how busy the machine is.
settings.register_profile("any_speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any_speed")

# The files that take longest, in this order. They start first: if one of them started last, the
# other workers would wait for it.
LONGEST = (
    "test_slurm.py",
    "test_smoke.py",
    "test_fuse.py",
    "test_docs_build.py",
    "test_faults.py",
    "test_plan.py",
    "test_own.py",
    "test_docs_run.py",
    "test_own_page.py",
    "test_anywhere.py",
    "test_wheel.py",
    "test_environment.py",
    "test_overlays.py",
    "test_lost.py",
    "test_code.py",
    "test_shell.py",
    "test_container.py",
    "test_views.py",
    "test_run.py",
    "test_assets_build.py",
    "test_report_page.py",
)
# test_fuse.py uses the study that test_smoke.py runs, so one worker takes both.
TOGETHER = {"test_fuse.py": "test_smoke.py"}


class Files(LoadFileScheduling):
    """All tests of a file, or of files that share what they build, go to one worker."""

    def _split_scope(self, nodeid: str) -> str:
        folder, slash, name = super()._split_scope(nodeid).rpartition("/")
        return folder + slash + TOGETHER.get(name, name)


def pytest_configure(config) -> None:
    if hasattr(config, "workerinput"):
        warm.SHARED.append(Path(config.workerinput["session"]))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node) -> None:
    """Tell a worker which folder the workers share."""
    node.workerinput["session"] = str(warm.session())


def pytest_collection_finish() -> None:
    gc.freeze()


@pytest.hookimpl(optionalhook=True)  # unknown where pytest runs without its plugin xdist
def pytest_xdist_make_scheduler(config, log) -> Files:
    return Files(config, log)


def pytest_collection_modifyitems(items) -> None:
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))
    import torch

    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            item.add_marker(pytest.mark.skip(reason="torch finds no GPU"))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Let torch compute with one thread, whatever an earlier test has asked for."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def tokenizer() -> "SimpleTokenizer":
    from open_clip.tokenizer import SimpleTokenizer

    return SimpleTokenizer()


@pytest.fixture(scope="session")
def tiny_clip() -> "CLIP":
    """Random weights, large enough that every part of the tower matters to the result."""
    import torch
    from open_clip import CLIP

    torch.manual_seed(0)
    model = CLIP(**TINY).eval().requires_grad_(False)
    for parameter in model.parameters():
        if parameter.ndim >= 1:
            parameter.normal_(0, 0.2)
    return model


@pytest.fixture(scope="session")
def tiny_backbone(tiny_clip, tokenizer) -> "LoadedBackbone":
    import torch

    from ptnl.backbones.loading import LoadedBackbone

    return LoadedBackbone("tiny", tiny_clip, tokenizer, torch.device("cpu"))


@pytest.fixture
def small_disk(tmp_path) -> Iterator[Path]:
    """A separate disk of one megabyte; users who may not mount one skip the test."""
    folder = tmp_path / "small_disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)
