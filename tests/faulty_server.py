"""A real HTTP server on 127.0.0.1 that fails in the ways that a test asks for."""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Fault:
    """How one answer differs from a good one."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None  # instead of the file
    cut: int | None = None  # bytes sent before the connection is closed
    stall: threading.Event | None = None  # waited for once the bytes up to `cut` are sent
    ignores_range: bool = False
    tells_length: bool = True


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[Fault]] = {}  # path -> faults of its next answers, in order
        self.always: dict[str, Fault] = {}  # path -> fault of every answer after those
        self.validators = True
        self.asked: list[tuple[str, str]] = []  # path with query, range
        self.sent: list[int] = []  # bytes of each answer's body

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{name}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        server, path = self.server, self.path.strip("/").partition("?")[0]
        wanted = self.headers.get("Range", "")
        server.asked.append((self.path.strip("/"), wanted))
        waiting = server.faults.get(path, [])
        fault = waiting.pop(0) if waiting else server.always.get(path, Fault())
        content = server.files.get(path) if fault.body is None else fault.body
        status, headers = fault.status or 200, {"Connection": "close", **fault.headers}
        self.close_connection = True
        if content is None:
            status, content = fault.status or 404, b""
        if server.validators and status == 200:
            headers.setdefault("ETag", f'"{hashlib.md5(content).hexdigest()}"')
        total, start = len(content), re.fullmatch(r"bytes=(\d+)-(\d*)", wanted)
        current = headers.get("ETag") or headers.get("Last-Modified")
        unchanged = self.headers.get("If-Range", current) == current
        if start and status == 200 and unchanged and not fault.ignores_range:
            first, last = int(start[1]), min(int(start[2] or total), total - 1)
            status = 206 if first < total else 416
            headers["Content-Range"] = (
                f"bytes {first}-{last}/{total}" if status == 206 else f"bytes */{total}"
            )
            content = content[first : last + 1] if status == 206 else b""
        if fault.tells_length:
            headers.setdefault("Content-Length", str(len(content)))
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()
        server.sent.append(len(content[: fault.cut]))
        self.wfile.write(content[: fault.cut])
        self.wfile.flush()
        if fault.stall:
            fault.stall.wait()


@contextmanager
def serving() -> Iterator[Server]:
    """A running server, stopped at the end even if an answer of it still stalls."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
