"""What a server answers when it is asked for a file."""

import re
from dataclasses import dataclass
from urllib.parse import urljoin

import requests
import urllib3

from ptnl import __version__
from ptnl.fetch.web_page import page_of

DRIVE = "https://drive.usercontent.google.com/download"

# Ask for the file uncompressed: with compression, Content-Length and Content-Range would describe
# the compressed bytes.
HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"ptnl/{__version__}"}


@dataclass(frozen=True)
class Patience:
    """Timeouts and retries, in seconds."""

    attempts: int = 6  # in a row that bring less than `CHUNK` bytes
    pause: float = 1.0  # before the second attempt; doubles from one to the next
    longest_pause: float = 60.0  # also of what a server asks for
    connect: float = 20.0
    read: float = 60.0  # without a byte


PATIENCE = Patience()


class UrlFailed(Exception):
    """A URL that is given up, and why."""


class Interrupted(Exception):
    """An attempt that failed in a way that another may not."""

    def __init__(self, reason: str, pause: float | None = None) -> None:
        super().__init__(reason)
        self.pause = pause  # seconds that the server asks for


def answered(
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
        page = page_of(answer)
        if page and page.action:
            answer = get(urljoin(answer.url, page.action), **page.fields)
            page = page_of(answer)
    else:
        answer = get(url)
        page = page_of(answer)
    status = f"HTTP {answer.status_code} {answer.reason}"
    if answer.status_code in (408, 429) or answer.status_code >= 500:
        raise Interrupted(status, _retry_after(answer))
    if answer.status_code not in (200, 206, 416):
        raise UrlFailed(status)
    if page and answer.status_code != 416:
        raise UrlFailed(f"a web page ({page.title or 'without a title'}) instead of the file")
    return answer


def content_range(answer: requests.Response) -> tuple[int | None, int | None]:
    """First byte sent and length of the whole file, each None where the answer does not tell."""
    said = answer.headers.get("Content-Range", "")
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", said)
    first, total = found.groups() if found else (None, None)
    return (int(first) if first else None), (int(total) if total else None)


def validator(answer: requests.Response) -> str:
    """What `If-Range` may name the server's file by; a weak ETag is none (RFC 9110, 13.1.5)."""
    etag = answer.headers.get("ETag", "")
    return etag if etag.startswith('"') else answer.headers.get("Last-Modified", "")


def _retry_after(answer: requests.Response) -> float | None:
    """Seconds that the server asks to wait for, given as such or as a date."""
    try:
        return urllib3.Retry().get_retry_after(answer.raw)
    except (urllib3.exceptions.InvalidHeader, ValueError):  # no date, or one of year 99999
        return None
