"""A SLURM cluster of one node with two fake GPUs, which runs while the tests do."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch")
PLUGIN = "snakemake_executor_plugin_slurm"


@dataclass(frozen=True)
class Record:
    """SLURM's record of a job."""

    comment: str  # the rule and its wildcards, or the group of jobs
    state: str
    gpus: int
    mem_mb: int
    start: datetime
    end: datetime
    output: Path  # what the job wrote to its standard output

    @classmethod
    def parse(cls, line: str) -> "Record":
        """A line of `scontrol show job --oneliner`."""
        words = dict(word.split("=", 1) for word in line.split() if "=" in word)
        return cls(
            comment=words["Comment"],
            state=words["JobState"],
            gpus=int(words.get("TresPerJob", "gres:gpu:0").rsplit(":", 1)[1]),
            mem_mb=megabytes(words["MinMemoryNode"]),
            start=datetime.fromisoformat(words["StartTime"]),
            end=datetime.fromisoformat(words["EndTime"]),
            output=Path(words["StdOut"]),
        )


def megabytes(amount: str) -> int:
    """An amount of memory as SLURM writes it: 4000M, 4G."""
    unit = {"M": 1, "G": 1024}[amount[-1]]
    return round(float(amount[:-1]) * unit)


@dataclass(frozen=True)
class Cluster:
    """The cluster, and the environment that points clients to it."""

    environment: dict[str, str]

    def ask(self, *command: str) -> str:
        return subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=True,
        ).stdout

    def records(self) -> list[Record]:
        """Every job so far, in the order of submission."""
        said = self.ask("scontrol", "show", "job", "--oneliner")
        return [Record.parse(line) for line in said.splitlines() if line.startswith("JobId=")]

    def queue(self) -> list[str]:
        """Jobs that wait or run."""
        return self.ask("squeue", "--noheader", "--states=PD,R,CG", "--format=%A").split()


def free_ports(count: int) -> list[str]:
    """Free ports on the loopback interface."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(one.getsockname()[1]) for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="session")
def cluster(tmp_path_factory) -> Iterator[Cluster]:
    where = os.pathsep.join([os.environ["PATH"], "/usr/sbin"])  # where the daemons are
    missing = [name for name in PROGRAMS if not shutil.which(name, path=where)]
    missing += [PLUGIN] * (find_spec(PLUGIN) is None)
    if missing:
        pytest.skip(f"no {', '.join(missing)} here: `make test-slurm` installs SLURM and runs this")
    folder = tmp_path_factory.mktemp("cluster")
    started = subprocess.run(
        [HERE / "start_cluster.sh", folder, *free_ports(2)],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        assert started.returncode == 0, started.stdout + started.stderr
        path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
        config = str(folder / "etc/slurm.conf")
        yield Cluster({**os.environ, "PATH": path, "SLURM_CONF": config})
    finally:
        subprocess.run([HERE / "stop_cluster.sh", folder], check=True)
