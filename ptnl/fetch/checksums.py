"""Checksums of fetched files, and receipts that tell whether a file has changed since."""

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from ptnl.errors import InputError
from ptnl.fetch.sources import Source
from ptnl.io import read_json, write_json

CHUNK = 1 << 20  # bytes read or written at a time


class Digests:
    """Length, md5 and sha256 of bytes as they pass."""

    def __init__(self) -> None:
        self.bytes = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._sha256 = hashlib.sha256()

    def update(self, chunk: bytes) -> None:
        self.bytes += len(chunk)
        self._md5.update(chunk)
        self._sha256.update(chunk)

    @property
    def md5(self) -> str:
        return self._md5.hexdigest()

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def mismatch(self, source: Source) -> str:
        """How the bytes differ from what is known of `source`; empty where they do not."""
        if source.bytes is not None and self.bytes != source.bytes:
            return f"has {self.bytes} bytes, expected {source.bytes}"
        for kind in ("md5", "sha256"):
            found, expected = getattr(self, kind), getattr(source, kind)
            if not found.startswith(expected):
                return f"{kind} is {found}, expected {expected}"
        return ""


@dataclass(frozen=True)
class Receipt:
    """A file as it was when its checksums were computed. It lies beside the file, as JSON.

    Archives have gigabytes, so they are not hashed again while their size and time of change are
    those of the receipt.
    """

    origin: str  # URL or path that the file was taken from
    bytes: int
    mtime_ns: int
    md5: str
    sha256: str


def digests_of(path: Path) -> Digests:
    """Length and checksums of a file, read whole."""
    digests = Digests()
    bar = tqdm(
        total=path.stat().st_size,
        disable=None,
        unit="B",
        unit_scale=True,
        desc=f"checksum of {path.name}",
        leave=False,
    )
    with path.open("rb") as file, bar as progress:
        while chunk := file.read(CHUNK):
            digests.update(chunk)
            progress.update(len(chunk))
    return digests


def receipt_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.receipt.json")


def read_receipt(path: Path) -> Receipt | None:
    """The receipt of the file at `path`; None where there is none."""
    if not receipt_path(path).exists():
        return None
    try:
        return Receipt(**read_json(receipt_path(path), sealed=True))
    except TypeError as error:
        raise InputError(f"{receipt_path(path)}: not a receipt ({error}); delete it") from error


def write_receipt(path: Path, digests: Digests, origin: str) -> None:
    """Record that the file at `path` has these checksums now."""
    receipt = Receipt(origin, digests.bytes, path.stat().st_mtime_ns, digests.md5, digests.sha256)
    write_json(asdict(receipt), receipt_path(path), replaces=True)


def is_verified(source: Source, path: Path) -> bool:
    """Whether the file at `path` was verified and has not changed since. Reads no content."""
    receipt = read_receipt(path) if path.is_file() else None
    return (
        receipt is not None
        and (receipt.bytes, receipt.mtime_ns) == (path.stat().st_size, path.stat().st_mtime_ns)
        and source.md5 in ("", receipt.md5)
        and receipt.sha256.startswith(source.sha256)
    )


def verify(source: Source, path: Path) -> str:
    """Hash the file at `path` anew: why it is not what it should be; empty where it is.

    Without a published checksum it is compared with its receipt. Where there is none either, what
    is there now becomes the receipt: nobody can know better.
    """
    return record(source, path, digests_of(path))


def record(source: Source, path: Path, digests: Digests) -> str:
    """Like `verify`, for a file whose digests are known."""
    receipt = read_receipt(path)
    wrong = digests.mismatch(source)
    if not wrong and not source.has_checksum and receipt and digests.sha256 != receipt.sha256:
        wrong = f"sha256 is {digests.sha256}, but was {receipt.sha256} when it was fetched"
    if not wrong and not is_verified(source, path):
        write_receipt(path, digests, receipt.origin if receipt else str(path))
    return wrong
