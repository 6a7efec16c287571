"""One URL to one file on disk, however often the connection breaks."""

import os
import random
import re
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import requests
import urllib3
from tqdm import tqdm

from ptnl import __version__
from ptnl.fetch.checksums import CHUNK, Digests, digests_of
from ptnl.fetch.disk import is_full, require_space
from ptnl.fetch.ownership import discard, make_scratch, move, scratch_path
from ptnl.fetch.remote_zip import opened_member
from ptnl.fetch.sources import Source
from ptnl.io import read_json, write_json

DRIVE = "https://drive.usercontent.google.com/download"

# Of a compressed answer neither length nor ranges would be those of the file.
HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"ptnl/{__version__}"}


@dataclass(frozen=True)
class Patience:
    """How long a server is borne with. Times in seconds."""

    attempts: int = 6  # in a row that bring less than `CHUNK` bytes
    pause: float = 1.0  # before the second attempt; doubles from one to the next
    longest_pause: float = 60.0  # also of what a server asks for
    connect: float = 20.0
    read: float = 60.0  # without a byte


PATIENCE = Patience()


class UrlFailed(Exception):
    """A URL that is given up, and why."""


class _Interrupted(Exception):
    """An attempt that failed in a way that another may not."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause  # seconds that the server asks for


def part_path(path: Path) -> Path:
    """Where the beginning of the file `path` is, until all of it is there."""
    return scratch_path(path) / "part"


class Part:
    """The beginning of a file on disk, with the checksums of what is there.

    A later process continues it: beside it lies a note of the URL that it is from and of the
    validator (ETag or date) that the server gave its file.
    """

    def __init__(self, path: Path) -> None:
        """Open the part of the file `path`, or begin one; what is there is hashed."""
        self.folder = make_scratch(path)
        self.path = part_path(path)
        self.note_path = self.folder / "part.json"
        self.file = self.path.open("ab", buffering=0)
        self.digests = digests_of(self.path)
        self.is_continued = self.bytes > 0  # put together from several answers
        note = read_json(self.note_path) if self.note_path.exists() else {}
        self.url: str = note.get("url", "")
        self.validator: str = note.get("validator", "")

    def __enter__(self) -> "Part":
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """Keep what is there for a later process, but leave nothing on a full disk."""
        self.file.close()
        if not self.bytes or is_full(error) or not self.path.exists():
            discard(self.folder)

    @property
    def bytes(self) -> int:
        return self.digests.bytes

    def restart(self, url: str = "", validator: str = "") -> None:
        """Drop the content; what follows comes from `url`."""
        self.file.truncate(0)
        self.digests, self.is_continued = Digests(), False
        self.url, self.validator = url, validator
        write_json({"url": url, "validator": validator}, self.note_path, replaces=True)

    def write(self, chunk: bytes) -> None:
        """Append `chunk`."""
        rest = memoryview(chunk)
        while rest:
            rest = rest[self.file.write(rest) :]
        self.digests.update(chunk)

    def finish(self, path: Path) -> None:
        """Give the file its name, once all of it has reached the disk."""
        os.fsync(self.file.fileno())
        move(self.path, path)


def transfer(
    source: Source, url: str, part: Part, report: Callable[[str], None], patience: Patience
) -> None:
    """Bring `part` to the whole of the file at `url`.

    It is continued where it ends, if the server can. That the beginning is of the same file, a
    checksum will show; without one it must be from this URL, and the server must say that its file
    has not changed.

    Raises
    ------
    UrlFailed : with the reason, once patience ends or where there is no point in another attempt
    InputError : where the disk has not enough space
    """
    failures = 0
    with requests.Session() as session:
        while True:
            before = part.bytes
            try:
                _attempt(source, url, part, session, patience)
                return
            except _Interrupted as error:
                reason, asked = str(error), error.pause
            failures = 1 if part.bytes - before >= CHUNK else failures + 1
            if failures >= patience.attempts:
                raise UrlFailed(f"{reason}, {failures} times in a row")
            pause = patience.pause * 2 ** (failures - 1) * random.uniform(0.5, 1.0)
            pause = min(pause if asked is None else asked, patience.longest_pause)
            report(f"{source.name}: {reason}; next attempt in {pause:.1f} s")
            time.sleep(pause)


def _attempt(
    source: Source, url: str, part: Part, session: requests.Session, patience: Patience
) -> None:
    if part.bytes and part.bytes == source.bytes:
        return  # all but its name: a process was killed before it could give it
    if "#" in url:
        _attempt_member(source, url, part, session, patience)
        return
    headers = dict(HEADERS)
    is_same = part.url == url and part.validator
    if part.bytes and (is_same or source.has_checksum):
        headers["Range"] = f"bytes={part.bytes}-"
        if not source.has_checksum:
            headers["If-Range"] = part.validator
    with _network_errors(part), closing(_answer(url, headers, session, patience)) as answer:
        total = _total_bytes(answer, part)
        if total is None:
            total = source.bytes
        if source.bytes is not None and total != source.bytes:
            raise UrlFailed(f"offers {total} bytes, expected {source.bytes}")
        if answer.status_code == 416:
            if part.bytes == total:
                return  # the last attempt brought the last byte
            part.restart()
            raise _Interrupted("has no such range")
        if answer.status_code == 200:
            part.restart(url, _validator(answer))
        else:
            part.is_continued = True
        if total is not None:
            require_space(part.path.parent, total - part.bytes, source.name)
        with tqdm(
            total=total,
            initial=part.bytes,
            unit="B",
            unit_scale=True,
            desc=source.name,
            disable=None,
        ) as progress:
            while chunk := answer.raw.read1(CHUNK, decode_content=False):
                part.write(chunk)
                progress.update(len(chunk))
    if total is not None and part.bytes < total:
        raise _Interrupted(f"cut after {part.bytes} bytes")


def _attempt_member(
    source: Source, url: str, part: Part, session: requests.Session, patience: Patience
) -> None:
    """A file in a zip, which is not continued: such files are small."""
    archive, _, name = url.partition("#")

    def read(first: int, end: int) -> tuple[bytes, int]:
        headers = {**HEADERS, "Range": f"bytes={first}-{end - 1}"}
        with _network_errors(part), closing(_answer(archive, headers, session, patience)) as answer:
            total = _content_range(answer)[1]
            if answer.status_code != 206 or total is None:
                raise UrlFailed("its server sends no ranges of the zip")
            return answer.raw.read(end - first, decode_content=False), total

    try:
        with opened_member(read, name) as (file, length):
            require_space(part.path.parent, length, source.name)
            part.restart(url)
            while chunk := file.read(CHUNK):
                part.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise UrlFailed(f"not readable from the zip ({error})") from error


@contextmanager
def _network_errors(part: Part) -> Iterator[None]:
    """What a network may do, as an attempt that failed or a URL that does."""
    hopeless = (
        requests.exceptions.InvalidURL,
        requests.exceptions.SSLError,
        requests.exceptions.TooManyRedirects,
    )
    try:
        yield
    except hopeless as error:
        raise UrlFailed(_short(error)) from error
    except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise _Interrupted("stalled") from error
    except urllib3.exceptions.ProtocolError as error:
        raise _Interrupted(f"cut after {part.bytes} bytes") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise _Interrupted(f"connection lost ({_short(error)})") from error


def _short(error: Exception) -> str:
    """The innermost reason of an error, which libraries wrap in several others."""
    while isinstance(cause := getattr(error, "reason", None) or error.__context__, Exception):
        error = cause
    return str(error) or type(error).__name__


def _answer(
    url: str, headers: dict[str, str], session: requests.Session, patience: Patience
) -> requests.Response:
    """The server's answer with a file (status 200, 206 or 416), its body unread."""

    def get(target: str, **parameters: str) -> requests.Response:
        return session.get(
            target,
            params=parameters,
            headers=headers,
            stream=True,
            timeout=(patience.connect, patience.read),
        )

    if url.startswith("drive:"):
        # `confirm` answers what Drive asks about files too large for its virus scan; where it asks
        # all the same, the form on its page does.
        answer = get(DRIVE, id=url.removeprefix("drive:"), export="download", confirm="t")
        page = _page(answer)
        if page and page.action:
            answer = get(urljoin(answer.url, page.action), **page.fields)
            page = _page(answer)
    else:
        answer = get(url)
        page = _page(answer)
    status = f"HTTP {answer.status_code} {answer.reason}"
    if answer.status_code in (408, 429) or answer.status_code >= 500:
        raise _Interrupted(status, _retry_after(answer))
    if answer.status_code not in (200, 206, 416):
        raise UrlFailed(status)
    if page and answer.status_code != 416:
        raise UrlFailed(f"a web page ({page.title or 'without a title'}) instead of the file")
    return answer


def _page(answer: requests.Response) -> "_Page | None":
    """The answer as a web page; None where it is something else."""
    if not answer.headers.get("Content-Type", "").lower().startswith("text/html"):
        return None
    page = _Page()
    page.feed(answer.raw.read(CHUNK, decode_content=True).decode(errors="replace"))
    return page


class _Page(HTMLParser):
    """A web page's title, and the form on Google Drive's that leads to the file."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.action = ""
        self.fields: dict[str, str] = {}
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._in_title = tag == "title"
        if tag == "form" and values.get("id") == "download-form":
            self.action = values.get("action") or ""
        if tag == "input" and values.get("type") == "hidden" and values.get("name"):
            self.fields[values["name"]] = values.get("value") or ""

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title, self._in_title = " ".join(data.split()), False


def _total_bytes(answer: requests.Response, part: Part) -> int | None:
    """Length of the whole file, where the answer tells; a range other than asked for is refused."""
    if answer.status_code == 200:
        length = answer.headers.get("Content-Length", "")
        return int(length) if length.isdecimal() else None
    first, total = _content_range(answer)
    if answer.status_code == 206 and first != part.bytes:
        part.restart()
        raise _Interrupted("sent another range than was asked for")
    return total


def _content_range(answer: requests.Response) -> tuple[int | None, int | None]:
    """First byte sent and length of the whole file, each None where the answer does not tell."""
    said = answer.headers.get("Content-Range", "")
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", said)
    first, total = (group and int(group) for group in found.groups()) if found else (None, None)
    return first, total


def _validator(answer: requests.Response) -> str:
    """What `If-Range` may name the server's file by; a weak ETag is none (RFC 9110, 13.1.5)."""
    etag = answer.headers.get("ETag", "")
    return etag if etag.startswith('"') else answer.headers.get("Last-Modified", "")


def _retry_after(answer: requests.Response) -> float | None:
    """Seconds that the server asks to wait for, given as such or as a date."""
    value = answer.headers.get("Retry-After", "")
    if value.isdecimal():
        return float(value)
    try:
        then = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (then.astimezone(UTC) - datetime.now(UTC)).total_seconds())
