"""Getting one file of a data set: from where the user put it, or from its URLs."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from ptnl.errors import InputError
from ptnl.fetch.answers import PATIENCE, Patience, UrlFailed
from ptnl.fetch.checksums import digests_of, is_verified, receipt_path, record, write_receipt
from ptnl.fetch.disk import is_full, require_space
from ptnl.fetch.locking import locked
from ptnl.fetch.ownership import move, remove_fetched, scratch
from ptnl.fetch.part import Part
from ptnl.fetch.sources import Source
from ptnl.fetch.transfer import transfer


def say(sentence: str) -> None:
    """Print a line on standard error, above a progress bar where there is one."""
    tqdm.write(sentence, file=sys.stderr)


def fetch(
    source: Source,
    folder: Path,
    manual: Path | None = None,
    report: Callable[[str], None] = say,
    patience: Patience = PATIENCE,
) -> Path:
    """The file of `source` in `folder`, whole and verified.

    A file that is there and verified is returned at once. Otherwise it is taken from the folder
    `manual`, where the user may drop files (by a hard link, or a copy from another file system),
    or downloaded from the first URL that has it. What was begun is continued. Of two processes
    that ask for one file, one gets it and the other waits.

    A file without a published checksum is taken as it comes; its sha256 is recorded and said.

    Parameters
    ----------
    source : the file, where it can be had, and its checksums
    folder : made where it is missing; holds the file, its receipt and, until then, its part
    manual : where the user may have put the file by hand
    report : takes a sentence about what is done or went wrong
    patience : time-outs, attempts and pauses

    Raises
    ------
    InputError : where all fails: names the file, why each source failed, and where to put it by
        hand; or where the disk has not enough space, and then nothing of the file is left
    """
    path = folder / source.name
    if is_verified(source, path):
        return path
    lock = folder / f".{source.name}.lock"
    try:
        with locked(
            lock, lambda: report(f"{source.name}: another process is fetching it; waiting")
        ):
            if not (is_verified(source, path) or _adopt(source, path, report)):
                _get(source, path, manual, report, patience)
    except OSError as error:
        if not is_full(error):
            raise
        raise InputError(f"{folder}: the disk is full, while {source.name} was fetched") from error
    return path


def _get(
    source: Source,
    path: Path,
    manual: Path | None,
    report: Callable[[str], None],
    patience: Patience,
) -> None:
    """Bring the file to `path`, by hand or from a URL; `InputError` where all fails."""
    by_hand = path if manual is None else manual / source.name
    failures = []
    if by_hand.is_file():
        wrong = _take(source, by_hand, path, report)
        if not wrong:
            return
        failures.append(f"{by_hand}: {wrong}")
    if source.urls:
        with Part(path) as part:
            for url in source.urls:
                try:
                    _download(source, url, part, path, report, patience)
                    return
                except UrlFailed as error:
                    failures.append(f"{url}: {error}")
                    report(f"{source.name}: {failures[-1]}")
    else:
        failures.append("there is no URL for it")
    where = f"get it from {source.homepage} and put it at" if source.homepage else "put it at"
    raise InputError(
        f"{source.name}: could not be fetched ({'; '.join(failures)}); {where} {by_hand}"
    )


def _adopt(source: Source, path: Path, report: Callable[[str], None]) -> bool:
    """Take a file that is at its place, if it is right; a wrong one that was fetched is deleted."""
    if not path.is_file():
        return False
    digests = digests_of(path)
    wrong = record(source, path, digests)
    if not wrong:
        _say_unpublished(source, path, report)
        return True
    remove_fetched(path, digests.sha256, wrong)
    report(f"{path}: {wrong}; deleted")
    return False


def _take(source: Source, dropped: Path, path: Path, report: Callable[[str], None]) -> str:
    """Take the file that the user dropped; why it is refused, or empty."""
    with scratch(path.with_name(f"{path.name}.by-hand")) as folder:
        temporary = folder / path.name
        try:
            os.link(dropped, temporary)
            how = "hard link"
        except OSError:  # another file system, or one without hard links
            require_space(path.parent, dropped.stat().st_size, source.name)
            shutil.copyfile(dropped, temporary)
            how = "copy"
        digests = digests_of(temporary)
        wrong = digests.mismatch(source)
        if wrong:
            report(f"{dropped}: refused, {wrong}")
            return wrong
        move(temporary, path)
        write_receipt(path, digests, str(dropped))
        report(f"{source.name}: taken from {dropped} ({how})")
        _say_unpublished(source, path, report)
        return ""


def _download(
    source: Source,
    url: str,
    part: Part,
    path: Path,
    report: Callable[[str], None],
    patience: Patience,
) -> None:
    """Download `source` from `url`; `UrlFailed` where that cannot be."""
    begun, there = time.monotonic(), part.length
    report(f"{source.name}: {f'from byte {there:,}, ' if there else ''}from {url}")
    transfer(source, url, part, report, patience)
    wrong = part.digests.mismatch(source)
    if wrong and part.is_continued:  # the fault may be that of its beginning
        report(f"{source.name}: {wrong}, put together from several answers; again from the start")
        part.restart()
        there = 0
        transfer(source, url, part, report, patience)
        wrong = part.digests.mismatch(source)
    if wrong:
        part.restart()
        raise UrlFailed(wrong)
    part.finish(path)
    write_receipt(path, part.digests, url)
    seconds = time.monotonic() - begun
    report(
        f"{source.name}: {part.length - there:,} bytes in {seconds:.0f} s "
        f"({(part.length - there) / 1e6 / max(seconds, 1e-3):.1f} MB/s)"
    )
    _say_unpublished(source, path, report)


def _say_unpublished(source: Source, path: Path, report: Callable[[str], None]) -> None:
    if not source.has_checksum:
        report(
            f"{source.name}: nobody published its checksum; recorded what it has in "
            f"{receipt_path(path).name}"
        )
