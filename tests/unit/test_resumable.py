"""Features are written part by part, and a killed call is continued to the same bytes."""

import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ptnl.features import resumable
from ptnl.features.resumable import write_features

SHAPE = (3, 10, 4)  # views, images, numbers


def whole() -> np.ndarray:
    return np.random.default_rng(0).normal(size=SHAPE).astype(np.float16)


class Parts:
    """Yields parts of two images, is interrupted at `dies_at`, and records its calls."""

    def __init__(self, dies_at: int = 99, views: int = SHAPE[0]):
        self.dies_at, self.views, self.starts, self.given = dies_at, views, [], []

    def __call__(self, done: int) -> Iterator[np.ndarray]:
        self.starts.append(done)
        for start in range(done, SHAPE[1], 2):
            if start >= self.dies_at:
                raise KeyboardInterrupt
            self.given.append(start)
            yield whole()[: self.views, start : start + 2]


@pytest.fixture
def often(monkeypatch):
    """Save a checkpoint after every part."""
    monkeypatch.setattr(resumable, "PERIOD", -1.0)


def test_parts_are_joined_in_one_file(tmp_path):
    out = tmp_path / "below" / "features.npy"
    write_features(out, SHAPE, "a", Parts(), "view")
    np.testing.assert_array_equal(np.load(out), whole())
    assert np.load(out).dtype == np.float16
    assert [path.name for path in out.parent.iterdir()] == ["features.npy"]


def test_features_without_views_are_joined_too(tmp_path):
    out = tmp_path / "features.npy"
    write_features(out, SHAPE[1:], "a", lambda done: [whole()[0, :7], whole()[0, 7:]], "image")
    np.testing.assert_array_equal(np.load(out), whole()[0])


def test_an_interrupted_call_is_continued_to_the_same_bytes(tmp_path, often):
    out, undisturbed = tmp_path / "cut.npy", tmp_path / "whole.npy"
    write_features(undisturbed, SHAPE, "a", Parts(), "view")
    with pytest.raises(KeyboardInterrupt):
        write_features(out, SHAPE, "a", Parts(dies_at=6), "view")
    assert not out.exists()
    again = Parts()
    write_features(out, SHAPE, "a", again, "view")
    assert again.starts == [6]
    assert again.given == [6, 8]
    assert out.read_bytes() == undisturbed.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cut.npy", "whole.npy"]


@pytest.mark.parametrize("lost", ["features.npy", "checkpoint.json"])
def test_without_features_or_checkpoint_a_call_starts_from_the_beginning(tmp_path, often, lost):
    out = tmp_path / "f.npy"
    with pytest.raises(KeyboardInterrupt):
        write_features(out, SHAPE, "a", Parts(dies_at=6), "view")
    (tmp_path / ".f.npy.partial" / lost).unlink()
    again = Parts()
    write_features(out, SHAPE, "a", again, "view")
    assert again.starts == [0]
    np.testing.assert_array_equal(np.load(out), whole())


@pytest.mark.parametrize(("identity", "views", "start"), [("a", 3, 6), ("b", 3, 0), ("a", 2, 0)])
def test_only_the_same_features_are_continued(tmp_path, often, identity, views, start):
    out = tmp_path / "f.npy"
    with pytest.raises(KeyboardInterrupt):
        write_features(out, SHAPE, "a", Parts(dies_at=6), "view")
    again = Parts(views=views)
    write_features(out, (views, *SHAPE[1:]), identity, again, "view")
    assert again.starts == [start]
    np.testing.assert_array_equal(np.load(out), whole()[:views])


def test_parts_that_are_written_are_not_kept_in_memory(tmp_path):
    given = []

    def parts(done: int) -> Iterator[np.ndarray]:
        for start in range(0, SHAPE[1], 2):
            assert all(part() is None for part in given[:-1])
            part = whole()[:, start : start + 2].copy()
            given.append(weakref.ref(part))
            yield part

    write_features(tmp_path / "f.npy", SHAPE, "a", parts, "view")
    assert len(given) == 5


def test_features_of_another_number_of_images_are_refused(tmp_path):
    with pytest.raises(ValueError, match="features of 7 images instead of 10"):
        write_features(tmp_path / "f.npy", SHAPE, "a", lambda done: [whole()[:, :7]], "view")
    assert not (tmp_path / "f.npy").exists()


def test_the_progress_line_shows_the_rate(tmp_path, capfd):
    write_features(tmp_path / "f.npy", SHAPE, "a", Parts(), "view")
    printed = capfd.readouterr().err
    assert "30/30" in printed
    assert "views/s" in printed


STUCK = """
import sys
from pathlib import Path
from ptnl.features import resumable
from tests.unit.test_resumable import Parts, SHAPE

resumable.PERIOD = -1.0
parts, out = Parts(), Path(sys.argv[1])

def stuck(done):
    for number, part in enumerate(parts(done)):
        if number == 2:  # the first parts are written; then it waits for ever
            sys.stdin.read()
        yield part

resumable.write_features(out, SHAPE, "a", stuck, "view")
"""


def stuck(out: Path, root: Path) -> subprocess.Popen:
    """A process that has written the first parts and a checkpoint, and then waits for ever."""
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK, str(out)],
        cwd=root,
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    while not (out.with_name(f".{out.name}.partial") / "checkpoint.json").exists():
        assert process.poll() is None
        time.sleep(0.02)
    return process


def test_a_second_process_waits_and_continues_what_the_first_wrote(tmp_path, root, often, capsys):
    out = tmp_path / "f.npy"
    process, again, printed = stuck(out, root), Parts(), ""
    second = threading.Thread(target=write_features, args=(out, SHAPE, "a", again, "view"))
    second.start()
    while "f.npy: another process writes it; waiting" not in printed:
        printed += capsys.readouterr().out
        time.sleep(0.02)
    assert again.starts == []
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    second.join()
    assert again.starts[0] > 0
    np.testing.assert_array_equal(np.load(out), whole())
    assert [path.name for path in tmp_path.iterdir()] == ["f.npy"]


def test_a_call_that_sigkill_ended_is_continued(tmp_path, root, often):
    out = tmp_path / "f.npy"
    process = stuck(out, root)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists()
    again = Parts()
    write_features(out, SHAPE, "a", again, "view")
    assert again.starts[0] > 0
    np.testing.assert_array_equal(np.load(out), whole())
