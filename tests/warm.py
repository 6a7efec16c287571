"""Snakemake, ptnl's commands and Python in processes that begin with everything imported.

The tests call Snakemake and ptnl's commands hundreds of times, and most of these calls compute for
less time than Python takes to import what they need. Here, one process of the test session imports
it, for all workers of pytest, and forks for every call. It is the job server of
`ptnl.machine.job_server`, asked for `snakemake ...`, `ptnl ...`, and `python` with a script or
`-c`; the studies that run in these forks find it in the place of a job server of their own. A call
has its own process with exit status, streams, folder and environment.
"""

import atexit
import fcntl
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from itertools import chain
from pathlib import Path

from ptnl.machine import job_server

ROOT = Path(__file__).parents[1]
POLL = 0.02  # seconds between looks at the server's socket, until it is there
SHARED: list[Path] = []  # the folder of the session, in a worker of pytest


@cache
def session() -> Path:
    """The folder of the test session. It is this process's own, unless that is a worker of pytest.

    The server in it runs until nobody holds the named pipe open: until this process ends.
    """
    if SHARED:
        return SHARED[0]
    folder = Path(tempfile.mkdtemp(prefix="ptnl-tests-"))
    atexit.register(shutil.rmtree, folder)
    os.mkfifo(folder / "until")
    os.open(folder / "until", os.O_RDWR)
    return folder


@cache
def server(checkout: Path = ROOT) -> Path:
    """The address of a server that imports `ptnl` from a checkout."""
    command = ["env", f"PYTHONPATH={checkout}", sys.executable, "-P"]
    if checkout != ROOT:  # forks from the server of this checkout, and imports ptnl alone anew
        asks = "import sys; from pathlib import Path; from ptnl.machine.job_server import ask; "
        asks += "ask(Path(sys.argv[1]), ['serve', *sys.argv[2:]])"
        address = job_server.start([*command, "-c", asks, str(server()), str(checkout)])
        wait_for(address, job_server.SERVERS[-1])
        return address
    address = session() / "socket"
    with (session() / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first worker that needs the server starts it
        if not address.exists():
            with (session() / "until").open() as until:
                process = subprocess.Popen([*command, __file__, str(address)], stdin=until)
            job_server.SERVERS.append(process)
            wait_for(address, process)
    return address


def wait_for(address: Path, process: subprocess.Popen[bytes]) -> None:
    """Return once a server is there."""
    while not address.exists():
        assert process.poll() is None, "the server has ended"
        time.sleep(POLL)


def called(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    checkout: Path = ROOT,
) -> subprocess.CompletedProcess[str]:
    """Call `snakemake`, `ptnl` or `python` from a folder and wait, as `subprocess.run` does.

    Begun with `forget`, a command imports `ptnl` itself: Snakemake imports that of its Snakefile.
    Begun with `apart FILE`, it has a process group of its own, whose number it writes to a file,
    and may be killed.
    """
    with (
        Path(os.devnull).open() as nothing,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as error,
    ):
        streams = [file.fileno() for file in (nothing, out, error)]
        ended = job_server.ask(server(checkout), command, folder, environment, streams)
        assert ended is not None, "the server has ended"
        killed = ended.status == 128 + signal.SIGKILL
        assert not killed or command[0] == "apart", f"killed: {command}"
        said = []
        for file in (out, error):
            file.seek(0)
            said.append(file.read())
    return subprocess.CompletedProcess(command, ended.status, *said)


def begin(
    command: Sequence[str],
    folder: Path,
    group: Path,
    environment: Mapping[str, str] | None = None,
) -> Future[subprocess.CompletedProcess[str]]:
    """Begin a call, which may be stopped or killed: the file `group` tells its process group."""
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        return pool.submit(called, ["apart", str(group), *command], folder, environment)
    finally:
        pool.shutdown(wait=False)


def write_script(path: Path, name: str, checkout: Path = ROOT) -> None:
    """Write an executable file that calls `snakemake`, `ptnl` or `python` through the server."""
    path.write_text(
        f"#!{sys.executable}\n"
        "import sys\n"
        "from pathlib import Path\n"
        "from ptnl.machine.job_server import ask\n"
        f"ended = ask(Path({str(server(checkout))!r}), [{name!r}, *sys.argv[1:]])\n"
        "sys.exit(ended.status)\n"
    )
    path.chmod(0o755)


def run(arguments: Sequence[str]) -> None:
    """Do what a command line asks for, in this process."""
    name = arguments[0]
    sys.argv = list(arguments)
    if name == "snakemake":
        from snakemake.cli import main
        from snakemake.executors.touch import Executor

        # With --touch, Snakemake waits 0.1 s for every job, because some file systems store times
        # that coarsely. Those that tests run on do not.
        Executor.SLEEPING_TIME = 0.005
        main()
    elif name == "ptnl":
        from ptnl.cli.main import run as ptnl

        ptnl()
    elif name == "python":
        python(*arguments[1:])
    elif name == "forget":
        forget()
        run(arguments[1:])
    elif name == "serve":
        checkout, address = arguments[1:]
        forget()
        sys.path.insert(0, checkout)
        sys.argv = [__file__, address]
        runpy.run_path(__file__, run_name="__main__")
    elif name == "apart":
        os.setpgid(0, 0)
        Path(arguments[1]).write_text(str(os.getpgrp()))
        run(arguments[2:])
    else:  # a job of a study
        job.run(arguments)


def forget() -> None:
    """Import `ptnl` anew when it is next used."""
    for module in [name for name in sys.modules if name.partition(".")[0] == "ptnl"]:
        del sys.modules[module]


def python(script: str, *words: str) -> None:
    """Run a script, or the code that follows `-c`, in a namespace of its own."""
    if script == "-c":
        code, sys.argv = words[0], [script, *words[1:]]
        sys.path.insert(0, "")
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = [script, *words]
        sys.path.insert(0, str(Path(script).parent))
        runpy.run_path(script, run_name="__main__")


def prepare() -> None:
    """Read the package's code and its rules once for all calls, which know them from then on."""
    Rules.shipped()
    found = [f"ptnl.cli.{path.stem}.main" for path in (ROOT / "ptnl/cli").glob("*.py")]
    found += [f"ptnl.methods.{method.module}.tune" for method in METHODS.values()]
    for data in DATASETS.values():
        found += [f"ptnl.data.{data.module}.{function}" for function in ("download", "index")]
    roots = list(filter(source_code.is_defined, found))
    source_code.decisive_code(*roots)
    # Jobs use entries of these registries, and Snakemake asks for the code of each entry.
    registries: dict[str, Iterable[str | int]] = {
        "ptnl.backbones.registry.BACKBONES": BACKBONES,
        "ptnl.backbones.registry.IMAGE_ENCODERS": IMAGE_ENCODERS,
        "ptnl.data.DATASETS": DATASETS,
        "ptnl.labels.noise.NOISES": NOISES,
        "ptnl.labels.pseudo_labels.SELECTIONS": SELECTIONS,
        "ptnl.methods.METHODS": METHODS,
        "ptnl.study.layouts.FIGURES": FIGURES,
        "ptnl.study.layouts.TABLES": TABLES,
        "ptnl.training.losses.LOSSES": {method.loss for method in METHODS.values()} - {""},
    }
    entries = {name: tuple(keys) for name, keys in registries.items()}
    source_code.decisive_code(*registries, entries=entries)


IMPORTED = (
    "snakemake.cli:get_argument_parser",  # it looks for plugins among all packages
    "snakemake.profiles",
    "snakemake.report",
    "snakemake.storage",
    "smart_open",
    "ptnl.machine.interpreter",
    "ptnl.data.changes",
    "ptnl.study.disk",
    "ptnl.study.operation_counts",
    "ptnl.study.planning",
    "ptnl.cli.adapt",
    "ptnl.cli.audit",
    "ptnl.cli.predict",
)

if __name__ == "__main__":
    from ptnl.backbones.registry import BACKBONES, IMAGE_ENCODERS
    from ptnl.cli import job
    from ptnl.data import DATASETS
    from ptnl.labels.noise import NOISES
    from ptnl.labels.pseudo_labels import SELECTIONS
    from ptnl.methods import METHODS
    from ptnl.study import source_code
    from ptnl.study.config import Rules
    from ptnl.study.layouts import FIGURES, TABLES

    prepare()
    address = Path(sys.argv[1])
    job_server.start = lambda command: address
    # All in one phase: a call that is answered earlier imports the rest once more.
    job_server.serve(address, run, [[*IMPORTED, *chain(*job.PHASES)]])
