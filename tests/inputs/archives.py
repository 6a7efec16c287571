"""Archives from untrusted sources."""

import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from ptnl.errors import InputError
from ptnl.fetch.extract import extract
from tests.inputs.rows import Row, read, refused, write

FILES = {"set/a.txt": b"a" * 3000, "set/deep/b.txt": b"b"}


def unpacked(place: Path, archive: Path) -> dict[str, bytes]:
    """The files of an archive. If the archive is refused, nothing may be left."""
    try:
        extract(archive, place / "out")
    except InputError:
        assert not list(place.iterdir())
        raise
    files = (path for path in (place / "out").rglob("*") if path.is_file())
    return {path.relative_to(place / "out").as_posix(): path.read_bytes() for path in files}


def whole(found: dict[str, bytes]) -> None:
    assert found == FILES


def tar(mode: str = "w", *odd: tarfile.TarInfo) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=mode) as file:
        for name, content in FILES.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
        for member in odd:
            file.addfile(member, io.BytesIO(b"\0" * member.size))
    return data.getvalue()


def zipped(*odd: tuple[str | zipfile.ZipInfo, bytes], how: int = zipfile.ZIP_DEFLATED) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", how) as file:
        for name, content in (*FILES.items(), *odd):
            file.writestr(name, content)
    return data.getvalue()


def archive(content: Callable[[], bytes], name: str = "archive") -> Callable[[Path], Path]:
    return lambda place: write(place / name, content())


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def zip_link() -> bytes:
    info = zipfile.ZipInfo("odd")
    info.external_attr = 0o120777 << 16
    return zipped((info, b"/etc/passwd"))


def bomb() -> bytes:
    """A zip whose 5,000 members claim to hold 4 GB each."""
    data = bytearray(zipped(*((f"huge-{i}", b"x") for i in range(5000))))
    entry = data.index(b"PK\x01\x02")
    while entry >= 0:
        data[entry + 24 : entry + 28] = struct.pack("<I", 0xFFFFFFFE)
        entry = data.find(b"PK\x01\x02", entry + 4)
    return bytes(data)


def locked() -> bytes:
    data = bytearray(zipped())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(signature)
        while place >= 0:
            data[place + flags] |= 1
            place = data.find(signature, place + 4)
    return bytes(data)


def wrong_sum() -> bytes:
    """A zip in which one byte of an uncompressed member was changed."""
    data = zipped(how=zipfile.ZIP_STORED)
    return data.replace(b"a" * 3000, b"a" * 1500 + b"b" + b"a" * 1499)


ROWS: list[Row] = [
    *(
        read(f"a tar, {what}", archive(lambda mode=mode: tar(mode)), "unpacked", whole)
        for what, mode in (("plain", "w"), ("gz", "w:gz"), ("bz2", "w:bz2"), ("xz", "w:xz"))
    ),
    read("a zip", archive(zipped), "unpacked", whole),
    read("a tar that is called .zip", archive(tar, "a.zip"), "unpacked by its content", whole),
    *(
        refused(f"a {kind} with a member `{name}`", archive(made), "leads out of the folder")
        for name in ("../out", "/tmp/out", "C:/out", "a/../../out", "..\\out")
        for kind, made in (
            ("tar", lambda name=name: tar("w", member(name))),
            ("zip", lambda name=name: zipped((name, b"x"))),
        )
    ),
    *(
        refused(
            f"a tar with {what}",
            archive(lambda kind=kind: tar("w", member("odd", kind, "../secret"))),
            "'odd' is a link or a device",
        )
        for what, kind in (
            ("a link", tarfile.SYMTYPE),
            ("a hard link", tarfile.LNKTYPE),
            ("a device", tarfile.CHRTYPE),
            ("a pipe", tarfile.FIFOTYPE),
        )
    ),
    refused("a zip with a link", archive(zip_link), "'odd' is a link or a device"),
    *(
        refused(f"a {what} that was cut", archive(made), "not readable as an archive")
        for what, made in (
            ("tar", lambda: tar()[: -1024 * 10]),
            ("tar.gz", lambda: tar("w:gz")[:-20]),
            ("tar.xz", lambda: tar("w:xz")[:-20]),
            ("zip", lambda: zipped()[:-30]),
        )
    ),
    refused("a zip with a wrong checksum", archive(wrong_sum), "not readable as an archive"),
    refused("a zip with a password", archive(locked), "not readable as an archive"),
    refused("a zip that claims to hold 21 TB", archive(bomb), "bytes more"),
    refused("gzip that holds no tar", archive(lambda: gzip.compress(b"text")), "not readable"),
    refused("xz that holds no tar", archive(lambda: lzma.compress(b"text")), "not readable"),
    refused("an empty file", archive(lambda: b""), "not readable as an archive"),
    refused("a web page", archive(lambda: b"<html>Sign in</html>"), "not readable as an archive"),
]
