"""Downloading one URL to one file, resuming whenever the connection breaks.

No library passes the tests against a faulty server. urllib3's Retry ends where the body of an
answer begins. pooch starts a file over after each failure. huggingface_hub appends another range
than it asked for. curl gives up on a server that sends no ranges. gdown joins the beginning of an
old file to the rest of a new one when a later process continues. So the requests are made by
`requests`, and what follows a failure is decided here.
"""

import random
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import requests
import urllib3
from tqdm import tqdm

from ptnl.fetch.answers import (
    HEADERS,
    Interrupted,
    Patience,
    UrlFailed,
    answered,
    content_range,
    validator,
)
from ptnl.fetch.checksums import CHUNK
from ptnl.fetch.disk import require_space
from ptnl.fetch.part import Part
from ptnl.fetch.remote_zip import opened_member
from ptnl.fetch.sources import Source


def transfer(
    source: Source, url: str, part: Part, report: Callable[[str], None], patience: Patience
) -> None:
    """Download the rest of the file at `url` into `part`, resuming where it stopped.

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
            before = part.length
            try:
                _attempt(source, url, part, session, patience)
                return
            except Interrupted as error:
                reason, asked = str(error), error.pause
            failures = 1 if part.length - before >= CHUNK else failures + 1
            if failures >= patience.attempts:
                raise UrlFailed(f"{reason}, {failures} times in a row")
            pause = patience.pause * 2 ** (failures - 1) * random.uniform(0.5, 1.0)
            pause = min(pause if asked is None else asked, patience.longest_pause)
            report(f"{source.name}: {reason}; next attempt in {pause:.1f} s")
            time.sleep(pause)


def _attempt(
    source: Source, url: str, part: Part, session: requests.Session, patience: Patience
) -> None:
    if part.length and part.length == source.bytes:
        return  # all but its name: a process was killed before it could give it
    if "#" in url:
        _attempt_member(source, url, part, session, patience)
        return
    headers = dict(HEADERS)
    is_same = part.url == url and part.validator
    if part.length and (is_same or source.has_checksum):
        headers["Range"] = f"bytes={part.length}-"
        if not source.has_checksum:
            headers["If-Range"] = part.validator
    with _network_errors(part), closing(answered(url, headers, session, patience)) as answer:
        total = _total_bytes(answer, part)
        if total is None:
            total = source.bytes
        if source.bytes is not None and total != source.bytes:
            raise UrlFailed(f"offers {total} bytes, expected {source.bytes}")
        if answer.status_code == 416:
            if part.length == total:
                return  # the last attempt brought the last byte
            part.restart()
            raise Interrupted("has no such range")
        if answer.status_code == 200:
            part.restart(url, validator(answer))
        else:
            part.is_continued = True
        if total is not None:
            require_space(part.path.parent, total - part.length, source.name)
        with tqdm(
            total=total,
            initial=part.length,
            unit="B",
            unit_scale=True,
            desc=source.name,
            disable=None,
        ) as progress:
            while chunk := answer.raw.read1(CHUNK, decode_content=False):
                part.write(chunk)
                progress.update(len(chunk))
    if total is not None and part.length < total:
        raise Interrupted(f"cut after {part.length} bytes")


def _attempt_member(
    source: Source, url: str, part: Part, session: requests.Session, patience: Patience
) -> None:
    """A file in a zip, which is not continued: such files are small."""
    archive, _, name = url.partition("#")

    def read(first: int, end: int) -> tuple[bytes, int]:
        headers = {**HEADERS, "Range": f"bytes={first}-{end - 1}"}
        with (
            _network_errors(part),
            closing(answered(archive, headers, session, patience)) as answer,
        ):
            total = content_range(answer)[1]
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
    """Translate network errors: try the same URL again, or move on to the next one."""
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
        raise Interrupted("stalled") from error
    except urllib3.exceptions.ProtocolError as error:
        raise Interrupted(f"cut after {part.length} bytes") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise Interrupted(f"connection lost ({_short(error)})") from error


def _short(error: Exception) -> str:
    """The innermost reason of an error, which libraries wrap in several others."""
    while isinstance(cause := getattr(error, "reason", None) or error.__context__, Exception):
        error = cause
    return str(error) or type(error).__name__


def _total_bytes(answer: requests.Response, part: Part) -> int | None:
    """Length of the whole file, where the answer tells; a range other than asked for is refused."""
    if answer.status_code == 200:
        length = answer.headers.get("Content-Length", "")
        return int(length) if length.isdecimal() else None
    first, total = content_range(answer)
    if answer.status_code == 206 and first != part.length:
        part.restart()
        raise Interrupted("sent another range than was asked for")
    return total
