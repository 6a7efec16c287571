"""Unpacking archives from untrusted sources."""

import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import IO, cast

from tqdm import tqdm

from ptnl.errors import InputError
from ptnl.fetch.disk import is_full, require_space
from ptnl.fetch.ownership import move, scratch

CHUNK = 1 << 20  # bytes copied at a time

_Archive = tarfile.TarFile | zipfile.ZipFile
_Entry = tarfile.TarInfo | zipfile.ZipInfo


@dataclass(frozen=True)
class _Member:
    """A file or folder of an archive."""

    name: str
    is_folder: bool
    bytes: int
    fault: str  # why it must not be unpacked; empty where it may
    entry: tarfile.TarInfo | zipfile.ZipInfo


def extract(
    archive: Path,
    folder: Path,
    members: Collection[str] | None = None,
    keeps_times: bool = False,
) -> None:
    """Unpack a tar (plain, gz, bz2, xz) or zip into the new folder `folder`, whole or not at all.

    Every member is looked at before the first is written; then all go to a folder beside `folder`,
    which takes its name when they are complete. Owners and permissions are not kept.

    Parameters
    ----------
    archive : the file; its kind is seen by its content
    folder : must not be there
    members : names of the files to unpack, as in the archive; by default all are
    keeps_times : whether files of a tar keep their time of modification

    Raises
    ------
    InputError : for an archive that is broken, lacks one of `members`, or holds a link, a device
        or a name that leads out of the folder; or where the disk has not enough space
    """
    if os.path.lexists(folder):
        raise InputError(f"{folder}: is there already; delete it to unpack {archive.name} anew")
    with _broken_archive(archive), _opened(archive) as file:
        wanted = _wanted(archive, list(_members(file)), members)
        folder.parent.mkdir(parents=True, exist_ok=True)
        require_space(folder.parent, sum(member.bytes for member in wanted), archive.name)
        try:
            with scratch(folder) as partial:
                _write(file, wanted, partial / "content", archive.name)
                if keeps_times:
                    _set_times(wanted, partial / "content")
                move(partial / "content", folder)
        except OSError as error:
            if not is_full(error):
                raise
            raise InputError(
                f"{folder.parent}: the disk is full, while {archive} was unpacked"
            ) from error


def _opened(archive: Path) -> tarfile.TarFile | zipfile.ZipFile:
    if zipfile.is_zipfile(archive):
        return zipfile.ZipFile(archive)
    return tarfile.open(archive)


@contextmanager
def _broken_archive(archive: Path) -> Iterator[None]:
    """What the libraries say of a broken archive, as an `InputError`."""
    broken = (tarfile.TarError, zipfile.BadZipFile, zlib.error, LZMAError, EOFError)
    unknown = (NotImplementedError, RuntimeError)  # a kind of compression, a password
    try:
        yield
    except (*broken, *unknown, UnicodeDecodeError) as error:
        raise InputError(f"{archive}: not readable as an archive ({error})") from error
    except OSError as error:
        if error.errno is not None:
            raise
        raise InputError(f"{archive}: not readable as an archive ({error})") from error


def _members(file: tarfile.TarFile | zipfile.ZipFile) -> Iterator[_Member]:
    if isinstance(file, zipfile.ZipFile):
        for info in file.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)  # 0 where the system had no such bits
            plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
            fault = _name_fault(info.filename) or ("" if plain else "is a link or a device")
            yield _Member(info.filename, info.is_dir(), info.file_size, fault, info)
        return
    for entry in file:
        plain = entry.isreg() or entry.isdir()
        fault = _name_fault(entry.name) or ("" if plain else "is a link or a device")
        yield _Member(entry.name, entry.isdir(), entry.size, fault, entry)
    # tarfile takes a cut or damaged header for the end of the archive, so the end is checked here.
    # Reading on makes gzip compare its checksum, which comes last.
    rest = cast("IO[bytes]", file.fileobj)  # an open archive has one
    rest.seek(file.offset)
    if rest.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
        raise tarfile.ReadError("its end is missing")
    while rest.read(CHUNK):
        pass


def _content(file: _Archive, entry: _Entry) -> IO[bytes]:
    """The content of a regular file of the archive, opened."""
    if isinstance(file, zipfile.ZipFile):
        return file.open(cast("zipfile.ZipInfo", entry))
    return cast("IO[bytes]", file.extractfile(cast("tarfile.TarInfo", entry)))


def _name_fault(name: str) -> str:
    """Why a name could lead out of the folder, on any system; empty where it cannot."""
    windows = PureWindowsPath(name)
    if windows.drive or windows.root or ".." in windows.parts or "\0" in name:
        return "leads out of the folder"
    return ""


def _wanted(archive: Path, there: list[_Member], names: Collection[str] | None) -> list[_Member]:
    """The members to unpack, once all of the archive has been found harmless."""
    for member in there:
        if member.fault:
            raise InputError(f"{archive}: refused, its member {member.name!r} {member.fault}")
    if names is None:
        return there
    missing = set(names) - {member.name for member in there}
    if missing:
        raise InputError(f"{archive}: has no member {sorted(missing)[0]!r}")
    return [member for member in there if member.name in names]


def _write(
    file: tarfile.TarFile | zipfile.ZipFile, members: list[_Member], folder: Path, title: str
) -> None:
    folder.mkdir()
    total = sum(member.bytes for member in members)
    with tqdm(total=total, unit="B", unit_scale=True, desc=title, disable=None) as progress:
        for member in members:
            path = folder / PurePosixPath(member.name)
            (path if member.is_folder else path.parent).mkdir(parents=True, exist_ok=True)
            if member.is_folder:
                continue
            with _content(file, member.entry) as content, path.open("wb") as out:
                shutil.copyfileobj(content, out, CHUNK)
            progress.update(member.bytes)


def _set_times(members: list[_Member], folder: Path) -> None:
    for member in members:
        if isinstance(member.entry, tarfile.TarInfo) and not member.is_folder:
            modified = member.entry.mtime
            os.utime(folder / PurePosixPath(member.name), (modified, modified))
