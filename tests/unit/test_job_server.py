"""A job that the server runs behaves as if its caller had run it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ptnl.machine.job_server import ask

POLL = 0.02  # seconds between looks at something that a test waits for

# A server whose commands print their words, end with a status, raise an error, wait, or say whether
# `prepare` was called.
SERVER = """
import os, sys, time
from pathlib import Path
from ptnl.machine.job_server import serve

done = []

def prepare():
    done.append(True)

def run(arguments):
    what, *rest = arguments
    if what == "say":
        print(os.getcwd(), os.environ.get("SAID"), *rest)
        print("aside", file=sys.stderr)
        print(sys.stdin.readline(), end="")
    elif what == "exit":
        sys.exit(int(rest[0]) if rest[0].isdigit() else rest[0])
    elif what == "raise":
        raise ValueError(rest[0])
    elif what == "wait":
        Path(rest[0]).write_text(str(os.getpid()))
        time.sleep(3600)
    elif what == "prepared":
        print(bool(done))

serve(Path(sys.argv[1]), run, [["json"], ["csv", "__main__:prepare"]])
"""
CLIENT = """
import sys
from pathlib import Path
from ptnl.machine.job_server import ask

ended = ask(Path(sys.argv[1]), sys.argv[2:])
sys.exit(99 if ended is None else ended.status)
"""


@pytest.fixture
def server(tmp_path):
    """The address of a running server, and its process."""
    address = tmp_path / "socket"
    process = subprocess.Popen([sys.executable, "-c", SERVER, address], stdin=subprocess.PIPE)
    while not address.exists():
        assert process.poll() is None
        time.sleep(POLL)
    yield address, process
    process.stdin.close()
    process.wait()


def test_it_replaces_nothing_at_its_address(tmp_path):
    address = tmp_path / "notes.txt"
    address.write_text("mine")
    said = subprocess.run(
        [sys.executable, "-c", SERVER, address],
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode
    assert f"{address}: is there already" in said.stderr
    assert address.read_text() == "mine"


def client(address: Path, *arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", CLIENT, address, *arguments],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


def written_id(path: Path) -> int:
    """Wait until a process has written its id to a file; returns the id."""
    while not path.exists() or not path.read_text():
        time.sleep(POLL)
    return int(path.read_text())


def wait_for_end(process: int) -> None:
    """Return once a process has ended."""
    while True:
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return
        time.sleep(POLL)


def test_the_address_is_there_once_the_server_listens(tmp_path):
    """Whoever waits for the address and then asks is never refused."""
    looked = """
import socket, sys
from pathlib import Path
from ptnl.machine.job_server import serve

address = Path(sys.argv[1])

class Looks(socket.socket):
    def listen(self, waiting):
        assert not address.exists()
        super().listen(waiting)
        print("listens")

    def setblocking(self, flag):
        sys.exit(0 if address.exists() else "no address")

socket.socket = Looks
serve(address, print, [])
"""
    command = [sys.executable, "-c", looked, tmp_path / "socket"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.communicate()[0] == b"listens\n"
    assert server.returncode == 0


def test_what_the_server_prepared_is_there_in_its_jobs(server):
    while client(server[0], "prepared").stdout != "True\n":  # it may not have come to it yet
        time.sleep(POLL)


def test_a_job_has_the_streams_folder_environment_and_arguments_of_its_caller(server, tmp_path):
    result = client(
        server[0],
        "say",
        "two words",
        "ünïcode",
        cwd=tmp_path,
        input="typed\n",
        env={**os.environ, "SAID": "yes", "PYTHONPATH": str(Path.cwd())},
    )
    assert result.stdout == f"{tmp_path} yes two words ünïcode\ntyped\n"
    assert result.stderr == "aside\n"
    assert result.returncode == 0


@pytest.mark.parametrize(
    ("words", "status", "error"),
    [
        (("exit", "3"), 3, ""),
        (("exit", "a sentence"), 1, "a sentence\n"),
        (("raise", "a cause"), 1, "ValueError: a cause"),
    ],
)
def test_the_caller_ends_with_the_status_and_errors_of_its_job(server, words, status, error):
    result = client(server[0], *words)
    assert result.returncode == status
    assert error in result.stderr


def test_jobs_run_side_by_side_and_end_with_their_caller(server, tmp_path):
    first = subprocess.Popen([sys.executable, "-c", CLIENT, server[0], "wait", tmp_path / "pid"])
    waiting = written_id(tmp_path / "pid")
    assert client(server[0], "exit", "0").returncode == 0
    first.kill()
    first.wait()
    wait_for_end(waiting)


def test_the_caller_of_a_killed_job_ends_with_its_signal(server, tmp_path):
    caller = subprocess.Popen([sys.executable, "-c", CLIENT, server[0], "wait", tmp_path / "pid"])
    os.kill(written_id(tmp_path / "pid"), signal.SIGKILL)
    assert caller.wait() == 128 + signal.SIGKILL


def test_the_server_ends_with_the_process_that_started_it(server):
    address, process = server
    process.stdin.close()
    assert process.wait() == 0
    assert ask(address, ["exit", "0"]) is None


def test_without_a_server_the_job_runs_in_the_callers_process(root, tmp_path):
    environment = {**os.environ, "PTNL_JOB_SERVER": str(tmp_path / "nobody")}
    log, record = tmp_path / "logs/plan.log", tmp_path / "logs/plan.tsv"
    result = subprocess.run(
        [sys.executable, "-m", "ptnl.cli.job", "--record", log, "plan", "--help"],
        capture_output=True,
        text=True,
        cwd=root,
        env=environment,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("usage: ptnl plan")
    names, values = (line.split("\t") for line in record.read_text().splitlines())
    assert names == ["s", "max_rss"]
    assert all(float(value) > 0 for value in values)


def test_bad_input_of_a_job_ends_with_one_sentence(root, tmp_path):
    options = ["--manifest", tmp_path / "none", "--shots", "16", "--seed", "1"]
    options += ["--out", tmp_path / "out"]
    result = subprocess.run(
        [sys.executable, "-m", "ptnl.cli.job", "sample_shots", *options],
        capture_output=True,
        text=True,
        cwd=root,
        check=False,
    )
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert not (tmp_path / "out").exists()
