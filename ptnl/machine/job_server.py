"""A process that has imported what jobs need, and forks one for each: start-up is paid once.

Importing torch and pandas takes longer than many a job computes. `serve` imports them, waits on a
socket, and forks for every request; a fork begins with everything imported. Requests come from
`ask`, with the caller's arguments, folder, environment and standard streams, so that a job behaves
as if the caller ran it. A job ends when its caller dies, and the server ends when the process that
started it dies.

A caller starts for every job. So that it starts quickly, only a part of the standard library is
imported at the top.
"""

import json
import os
import signal
import socket
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ptnl.machine.garbage import kept

if TYPE_CHECKING:
    import subprocess

FOLDER = "ptnl-jobs-"  # a server's folder begins with this
ADDRESS = "PTNL_JOB_SERVER"  # environment variable of jobs: the server's socket
Run = Callable[[Sequence[str]], object]

# The servers that this process started. Each lives until the standard input held here is closed.
SERVERS: "list[subprocess.Popen[bytes]]" = []

STREAMS = 3  # standard input, output and error travel with a request
LENGTH = struct.Struct("!Q")  # of a request, before it
ANSWER = struct.Struct("!iQ")  # exit status, peak memory in bytes


class Ended(NamedTuple):
    """How a job ended."""

    status: int
    memory: int  # peak of resident memory, in bytes


def start(command: Sequence[str]) -> Path:
    """Start a server in the background; its address.

    command : starts the server, but for the address, which is appended
    """
    import subprocess
    import tempfile

    # A path of sockets has 107 bytes at most, so it does not lie below the results.
    address = Path(tempfile.mkdtemp(prefix=FOLDER)) / "socket"
    server = subprocess.Popen([*command, str(address)], stdin=subprocess.PIPE)
    SERVERS.append(server)
    return address


def ask(
    address: Path,
    arguments: Sequence[str],
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    streams: Sequence[int] = range(STREAMS),
) -> Ended | None:
    """Run a command line through the server; None where there is no server.

    Folder, environment and streams (file descriptors of standard input, output and error) are those
    of this process if they are not given.

    A job that ends without an answer was killed: its status is that of SIGKILL.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(address))
    except OSError:
        return None
    request = {
        "arguments": list(arguments),
        "folder": str(folder or Path.cwd()),
        "environment": dict(os.environ if environment is None else environment),
    }
    message = json.dumps(request).encode()
    with connection:
        socket.send_fds(connection, [LENGTH.pack(len(message))], list(streams))
        connection.sendall(message)
        answer = _received(connection, ANSWER.size)
    if len(answer) < ANSWER.size:
        return Ended(128 + signal.SIGKILL, 0)
    return Ended(*ANSWER.unpack(answer))


def serve(address: Path, run: Run, phases: Sequence[Sequence[str]]) -> None:
    """Answer requests until standard input ends, which it does when its other end dies.

    Parameters
    ----------
    address : socket to listen on
    run : does what a command line asks for; may raise SystemExit
    phases : what to prepare, in groups: a module is imported, and of `module:function` the function
        is called, whose result it keeps; requests that came in meanwhile are answered after each

    Raises FileExistsError if there is something at the address.
    """
    import threading

    if os.path.lexists(address):
        raise FileExistsError(f"{address}: is there already; a job server needs a new path")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel clears finished jobs away
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # jobs end with their callers, and so does this
    with socket.socket(socket.AF_UNIX) as listener:
        unheard = address.with_name("unheard")
        listener.bind(str(unheard))
        listener.listen(64)
        unheard.rename(address)  # whoever finds the address can connect
        threading.Thread(target=_exit_with_starter, args=[address], daemon=True).start()
        listener.setblocking(False)
        for phase in phases:
            with kept():  # a search in a fork would copy the memory of all that was imported
                for name in phase:
                    module, _, function = name.partition(":")
                    imported = import_module(module)
                    if function:
                        getattr(imported, function)()
            while _accepted(listener, run):
                pass
        listener.setblocking(True)
        while True:
            _accepted(listener, run)


def _exit_with_starter(address: Path) -> None:
    # Not through sys.stdin: a fork would inherit its lock, held by this thread that it lacks.
    while os.read(0, 1024):
        pass
    address.unlink(missing_ok=True)
    if address.parent.name.startswith(FOLDER):
        address.parent.rmdir()
    os._exit(0)


def _accepted(listener: socket.socket, run: Run) -> bool:
    """Fork a job for a caller that waits; whether there was one."""
    try:
        connection, _ = listener.accept()
    except BlockingIOError:
        return False
    with connection:
        if os.fork() == 0:
            listener.close()
            _job(connection, run)
    return True


def _job(connection: socket.socket, run: Run) -> None:
    """Do what a caller asked for and end. This is the forked process."""
    import threading

    status = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        connection.setblocking(True)
        length, streams, *_ = socket.recv_fds(connection, LENGTH.size, STREAMS)
        request = json.loads(_received(connection, *LENGTH.unpack(length)))
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        threading.Thread(target=_end_with_caller, args=[connection], daemon=True).start()
        os.chdir(request["folder"])
        os.environ.clear()
        os.environ.update(request["environment"])
        ended = run_here(run, request["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(ANSWER.pack(ended.status, ended.memory))
        status = ended.status
    finally:
        os._exit(status)


def run_here(run: Run, arguments: Sequence[str]) -> Ended:
    """Run a command line in this process, with its errors printed as Python prints them."""
    import resource

    status = 0
    try:
        run(arguments)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes there, else KiB
    return Ended(status, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def _end_with_caller(connection: socket.socket) -> None:
    """Wait for the caller to go; a job that nobody waits for must not write its results."""
    connection.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


def _received(connection: socket.socket, length: int) -> bytes:
    """So many bytes; fewer where the other end has gone."""
    parts = bytearray()
    while len(parts) < length and (part := connection.recv(length - len(parts))):
        parts += part
    return bytes(parts)
