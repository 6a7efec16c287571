"""Files are fetched whole and verified, or not at all, from a real server that has faults."""

import errno
import fcntl
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections import namedtuple
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptnl.errors import InputError
from ptnl.fetch import answers, transfer
from ptnl.fetch.answers import Patience
from ptnl.fetch.checksums import is_verified, read_receipt, receipt_path, verify
from ptnl.fetch.download import fetch
from ptnl.fetch.ownership import make_scratch
from ptnl.fetch.part import part_path
from ptnl.fetch.sources import Source
from ptnl.io import read_json, write_json
from tests.faulty_server import Fault, serving

CONTENT = random.Random(0).randbytes(20_000)
OTHER = random.Random(1).randbytes(20_000)
HASTY = Patience(attempts=3, pause=0.001, longest_pause=0.01)
# On a busy machine the server may be slower than 0.2 s, so there are many attempts.
IMPATIENT = replace(HASTY, attempts=1000, read=0.2)


def source_of(*urls: str, content: bytes = CONTENT, **known) -> Source:
    known = known or {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    return Source("a.tar", "set", urls, **known)


class Reports(list):
    """The sentences that were reported; `in` searches all of them."""

    def __call__(self, sentence: str) -> None:
        self.append(sentence)

    def __contains__(self, words: str) -> bool:
        return any(words in sentence for sentence in self)


@pytest.fixture(scope="module")
def running():
    with serving() as server:
        yield server


@pytest.fixture
def server(running):
    running.files, running.faults, running.always = {"a.tar": CONTENT}, {}, {}
    running.asked.clear()
    running.sent.clear()
    running.validators = True
    return running


@pytest.fixture
def reports():
    return Reports()


def leftovers(folder: Path) -> set[str]:
    """What lies in the folder besides the file, its receipt and its lock."""
    return {path.name for path in folder.iterdir()} - {"a.tar", "a.tar.receipt.json", ".a.tar.lock"}


def test_a_file_is_fetched_only_once(server, tmp_path, reports):
    source = source_of(server.url("a.tar"))
    path = fetch(source, tmp_path, report=reports, patience=HASTY)
    assert path == tmp_path / "a.tar"
    assert path.read_bytes() == CONTENT
    assert leftovers(tmp_path) == set()
    assert read_receipt(path).origin == server.url("a.tar")
    server.files.clear()
    assert fetch(source, tmp_path, report=reports, patience=HASTY) == path
    assert len(server.asked) == 1


@settings(max_examples=25)
@given(cuts=st.lists(st.integers(0, len(CONTENT)), max_size=2), known=st.booleans())
def test_a_download_cut_anywhere_is_continued(running, cuts, known):
    running.files, running.validators = {"a.tar": CONTENT}, True
    running.faults = {"a.tar": [Fault(cut=cut) for cut in cuts]}
    running.asked.clear()
    with TemporaryDirectory() as folder:
        source = source_of(running.url("a.tar"), **({} if known else {"optional": True}))
        path = fetch(source, Path(folder), report=Reports(), patience=HASTY)
        assert path.read_bytes() == CONTENT
        assert leftovers(Path(folder)) == set()
    there, begins = 0, []
    for cut in [*cuts, len(CONTENT)]:
        begins.append(f"bytes={there}-" if there else "")
        there = min(there + cut, len(CONTENT))
        if there == len(CONTENT):
            break
    assert [begin for _, begin in running.asked] == begins


@pytest.mark.parametrize("known", [True, False])
def test_a_later_process_continues(server, tmp_path, reports, known):
    source = source_of(server.url("a.tar"), **({} if known else {"optional": True}))
    server.always["a.tar"] = Fault(cut=0)
    server.faults["a.tar"] = [Fault(cut=7000)]
    with pytest.raises(InputError, match=r"a\.tar: could not be fetched .*cut after 7000 bytes"):
        fetch(source, tmp_path, report=reports, patience=HASTY)
    assert part_path(tmp_path / "a.tar").read_bytes() == CONTENT[:7000]
    assert not (tmp_path / "a.tar").exists()
    server.always.clear()
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    assert server.asked[-1] == ("a.tar", "bytes=7000-")
    assert "from byte 7,000" in reports
    assert leftovers(tmp_path) == set()


def begun(folder: Path, content: bytes, url: str = "", validator: str = "") -> None:
    """Write the part of a file that a killed process leaves."""
    scratch = make_scratch(folder / "a.tar")
    (scratch / "part").write_bytes(content)
    (scratch / "part.json").write_text(json.dumps({"url": url, "validator": validator}))


def test_a_file_that_changed_on_its_server_is_fetched_from_the_start(server, tmp_path, reports):
    begun(tmp_path, OTHER[:900], server.url("a.tar"), '"old"')
    source = source_of(server.url("a.tar"), optional=True)
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    assert server.asked == [("a.tar", "bytes=900-")]  # because of If-Range, all of it was sent


@pytest.mark.parametrize("known", [True, False])
def test_mirrors_may_have_different_etags(server, tmp_path, reports, known):
    """With a checksum, the ETag does not matter; without one, the second server sends all of it."""
    server.faults["a.tar"] = [Fault(cut=5000, headers={"ETag": '"of another server"'})]
    source = source_of(server.url("a.tar"), **({} if known else {"optional": True}))
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    assert [begin for _, begin in server.asked] == ["", "bytes=5000-"]
    assert server.sent == [5000, 15_000 if known else 20_000]


@pytest.mark.parametrize("headers", [{"ETag": 'W/"weak"'}, {"ETag": "", "Last-Modified": "then"}])
def test_without_a_checksum_a_date_lets_a_part_be_continued(server, tmp_path, reports, headers):
    """A weak ETag does not."""
    server.faults["a.tar"] = [Fault(cut=5000, headers=headers), Fault(headers=headers)]
    source = source_of(server.url("a.tar"), optional=True)
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    weak = "Last-Modified" not in headers
    assert [begin for _, begin in server.asked] == ["", "" if weak else "bytes=5000-"]


def test_a_part_is_continued_from_its_own_url(server, tmp_path, reports):
    """There is no checksum; another URL that fails before does not discard the part."""
    validator = f'"{hashlib.md5(CONTENT).hexdigest()}"'
    begun(tmp_path, CONTENT[:900], server.url("a.tar"), validator)
    source = source_of(server.url("missing"), server.url("a.tar"), optional=True)
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    assert server.asked == [("missing", ""), ("a.tar", "bytes=900-")]


def test_without_checksum_or_validator_nothing_is_continued(server, tmp_path, reports):
    server.validators = False
    begun(tmp_path, OTHER[:900], server.url("a.tar"))
    source = source_of(server.url("a.tar"), optional=True)
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    assert server.asked == [("a.tar", "")]


def test_after_a_wrong_part_the_file_is_fetched_from_the_start(server, tmp_path, reports):
    begun(tmp_path, OTHER[:900])
    path = fetch(source_of(server.url("a.tar")), tmp_path, report=reports, patience=HASTY)
    assert path.read_bytes() == CONTENT
    assert [begin for _, begin in server.asked] == ["bytes=900-", ""]
    assert "sha256 is" in reports


@pytest.mark.parametrize("beginning", [CONTENT, CONTENT + b"more", OTHER])
@pytest.mark.parametrize("known", ["bytes", "md5"])
def test_a_part_that_is_as_long_as_the_file_is_checked(server, tmp_path, reports, beginning, known):
    """The part is complete, too long, or of another file.

    If the length is not known, the server is asked for the rest, and answers 416.
    """
    begun(tmp_path, beginning)
    md5 = hashlib.md5(CONTENT).hexdigest()
    source = source_of(
        server.url("a.tar"), md5=md5, bytes=len(CONTENT) if known == "bytes" else None
    )
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    assert leftovers(tmp_path) == set()


def test_a_server_without_ranges_sends_the_file_from_the_start(server, tmp_path, reports):
    server.faults["a.tar"] = [Fault(cut=5000), Fault(ignores_range=True)]
    source = source_of(server.url("a.tar"))
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    assert [begin for _, begin in server.asked] == ["", "bytes=5000-"]


def test_a_wrong_range_is_not_appended(server, tmp_path, reports):
    wrong = Fault(status=206, headers={"Content-Range": "bytes 0-19999/20000"})
    server.faults["a.tar"] = [Fault(cut=5000), wrong]
    source = source_of(server.url("a.tar"), optional=True)
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    assert "sent another range than was asked for" in reports


@pytest.mark.parametrize("tells_length", [True, False])
def test_a_cut_is_noticed_even_if_the_length_was_not_given(server, tmp_path, reports, tells_length):
    server.faults["a.tar"] = [Fault(cut=5000, tells_length=tells_length)]
    server.always["a.tar"] = Fault(tells_length=tells_length)
    source = source_of(server.url("a.tar"))
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    assert "cut after 5000 bytes" in reports


def test_a_stalled_transfer_is_continued_with_a_new_request(server, tmp_path, reports):
    released = threading.Event()
    server.faults["a.tar"] = [Fault(cut=3000, stall=released)]
    try:
        path = fetch(source_of(server.url("a.tar")), tmp_path, report=reports, patience=IMPATIENT)
    finally:
        released.set()
    assert path.read_bytes() == CONTENT
    assert "stalled" in reports
    assert server.asked[-1] == ("a.tar", "bytes=3000-")


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_busy_server_is_asked_again(server, tmp_path, reports, status):
    server.faults["a.tar"] = [Fault(status=status)] * 2
    source = source_of(server.url("a.tar"))
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    assert len(server.asked) == 3
    assert f"HTTP {status}" in reports


@pytest.mark.parametrize("form", ["seconds", "date", "never", "year"])
def test_the_pause_that_a_server_asks_for_is_kept(server, tmp_path, reports, form, monkeypatch):
    pauses = []
    monkeypatch.setattr(transfer.time, "sleep", pauses.append)
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    year = "Wed, 01 Nov 99999 00:00:00 GMT"
    value = {"seconds": "7", "date": later, "never": "sometime", "year": year}[form]
    server.faults["a.tar"] = [Fault(status=503, headers={"Retry-After": value})]
    patience = Patience(attempts=2, pause=0.5, longest_pause=7200)
    fetch(source_of(server.url("a.tar")), tmp_path, report=reports, patience=patience)
    # The pause lasts until the date, so it depends on the time that the test has taken.
    low, high = {"seconds": (7, 7), "date": (1800, 3600)}.get(form, (0.25, 0.5))
    assert len(pauses) == 1
    assert low <= pauses[0] <= high


def test_pauses_grow_up_to_a_limit(server, tmp_path, reports, monkeypatch):
    pauses = []
    monkeypatch.setattr(transfer.time, "sleep", pauses.append)
    server.always["a.tar"] = Fault(status=500)
    patience = Patience(attempts=6, pause=1, longest_pause=5)
    with pytest.raises(InputError, match=r"HTTP 500 .*, 6 times in a row"):
        fetch(source_of(server.url("a.tar")), tmp_path, report=reports, patience=patience)
    limits = [min(5, most) for most in (1, 2, 4, 8, 16)]
    assert all(m / 2 <= pause <= m for pause, m in zip(pauses, limits, strict=True))


def test_attempts_are_counted_anew_after_progress(server, tmp_path, reports):
    content = bytes(5 << 20)
    server.files["a.tar"] = content
    server.faults["a.tar"] = [Fault(cut=1 << 20)] * 4
    source = source_of(server.url("a.tar"), content=content)
    path = fetch(source, tmp_path, report=reports, patience=Patience(attempts=2, pause=0.001))
    assert path.stat().st_size == len(content)


def test_mirrors_are_tried_in_order_and_every_failure_is_reported(server, tmp_path, reports):
    server.files |= {"short": CONTENT[:-1], "wrong": OTHER}
    names = ("missing", "short", "wrong", "a.tar")
    source = source_of(*map(server.url, names))
    path = fetch(source, tmp_path, report=reports, patience=HASTY)
    assert path.read_bytes() == CONTENT
    assert read_receipt(path).origin == server.url("a.tar")
    assert [asked.partition("?")[0] for asked, _ in server.asked] == list(names)
    with pytest.raises(InputError) as error:
        fetch(source_of(*source.urls[:3]), tmp_path / "b", Path("by-hand"), reports, HASTY)
    found = hashlib.sha256(OTHER).hexdigest()
    assert str(error.value) == (
        f"a.tar: could not be fetched ({server.url('missing')}: HTTP 404 Not Found; "
        f"{server.url('short')}: offers 19999 bytes, expected 20000; "
        f"{server.url('wrong')}: sha256 is {found}, expected {source.sha256}); "
        "put it at by-hand/a.tar"
    )
    assert {path.name for path in (tmp_path / "b").iterdir()} == {".a.tar.lock"}


def test_a_mirror_continues_the_part_of_another(server, tmp_path, reports):
    server.files["mirror"] = CONTENT
    server.faults["a.tar"] = [Fault(cut=8000), Fault(status=404)]
    source = source_of(server.url("a.tar"), server.url("mirror"))
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    assert server.asked[-1] == ("mirror", "bytes=8000-")


def test_after_a_server_that_cannot_be_reached_the_next_is_asked(tmp_path, reports, server):
    gone = "http://127.0.0.1:9/a.tar"
    source = source_of(gone, server.url("a.tar"))
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    assert f"{gone}: connection lost ([Errno 111] Connection refused), 3 times in a row" in reports


def test_redirects_are_followed_with_the_range(server, tmp_path, reports):
    server.always["moved"] = Fault(status=302, headers={"Location": server.url("a.tar")}, body=b"")
    server.faults["a.tar"] = [Fault(cut=100)]
    source = source_of(server.url("moved"))
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    assert server.asked[-1] == ("a.tar", "bytes=100-")


def test_endless_redirects_are_an_error(server, tmp_path, reports):
    server.always["loop"] = Fault(status=302, headers={"Location": server.url("loop")}, body=b"")
    with pytest.raises(InputError, match="loop: Exceeded 30 redirects"):
        fetch(source_of(server.url("loop")), tmp_path, report=reports, patience=HASTY)


PAGE = """<html><head><title>Google Drive - Virus scan warning</title></head><body>
<form id="download-form" action="{action}" method="get">
<input type="hidden" name="id" value="ID"><input type="hidden" name="confirm" value="t">
<input type="hidden" name="uuid" value="1-2"></form></body></html>"""
HTML = {"Content-Type": "text/html; charset=utf-8"}


def test_the_confirmation_page_of_google_drive_is_answered(server, tmp_path, reports, monkeypatch):
    monkeypatch.setattr(answers, "DRIVE", server.url("drive"))
    page = PAGE.format(action="/a.tar").encode()
    server.always["drive"] = Fault(headers=HTML, body=page, ignores_range=True)
    server.faults["a.tar"] = [Fault(cut=100)]
    source = source_of("drive:ID")
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    assert [asked for asked, _ in server.asked] == [
        "drive?id=ID&export=download&confirm=t",
        "a.tar?id=ID&confirm=t&uuid=1-2",
    ] * 2
    assert server.asked[-1][1] == "bytes=100-"


@pytest.mark.parametrize("url", ["drive:ID", "plain"])
def test_a_web_page_is_not_the_file(server, tmp_path, reports, monkeypatch, url):
    monkeypatch.setattr(answers, "DRIVE", server.url("drive"))
    page = b"<html><title>Google Drive -\n Quota exceeded</title></html>"
    server.always["drive"] = server.always["plain"] = Fault(headers=HTML, body=page)
    source = source_of(server.url(url) if url == "plain" else url, optional=True)
    with pytest.raises(InputError, match=r"a web page \(Google Drive - Quota exceeded\) instead"):
        fetch(source, tmp_path, report=reports, patience=HASTY)
    assert not (tmp_path / "a.tar").exists()


ZIP = io.BytesIO()
with zipfile.ZipFile(ZIP, "w", zipfile.ZIP_DEFLATED) as file:
    file.writestr("set/before.jpg", random.Random(2).randbytes(3 << 20))
    file.writestr("set/a.tar", CONTENT)
    file.writestr("set/behind.jpg", random.Random(3).randbytes(3 << 20))


@pytest.mark.parametrize("fault", [Fault(), Fault(status=503), Fault(cut=10)])
def test_one_file_of_a_zip_is_fetched_without_the_others(server, tmp_path, reports, fault):
    """The rest of the zip is not fetched: much less than its 6 MB are sent."""
    server.files["set.zip"] = ZIP.getvalue()
    server.faults["set.zip"] = [Fault(), fault]
    source = source_of(server.url("set.zip#set/a.tar"))
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    assert len(server.asked) < 12
    ranges = [[*map(int, wanted.removeprefix("bytes=").split("-"))] for _, wanted in server.asked]
    assert sum(last + 1 - first for first, last in ranges) < 5 << 20
    assert leftovers(tmp_path) == set()


@pytest.mark.parametrize(
    ("name", "content", "fault", "reason"),
    [
        ("set/none", ZIP.getvalue(), Fault(), "There is no item named 'set/none'"),
        ("set/a.tar", OTHER, Fault(), "File is not a zip file"),
        ("set/a.tar", b"shorter", Fault(), "File is not a zip file"),
        ("set/a.tar", ZIP.getvalue(), Fault(ignores_range=True), "sends no ranges"),
    ],
)
def test_a_zip_without_the_file_leads_to_the_next_mirror(
    server, tmp_path, reports, name, content, fault, reason
):
    server.files["set.zip"] = content
    server.always["set.zip"] = fault
    source = source_of(server.url(f"set.zip#{name}"), server.url("a.tar"))
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    assert reason in reports


def test_an_unpublished_checksum_is_recorded(server, tmp_path, reports):
    source = source_of(server.url("a.tar"), optional=True)
    path = fetch(source, tmp_path, report=reports, patience=HASTY)
    assert "nobody published its checksum" in reports
    assert read_receipt(path).sha256 == hashlib.sha256(CONTENT).hexdigest()
    path.write_bytes(OTHER)
    assert "but was" in verify(source, path)


def test_a_changed_file_is_hashed_again(server, tmp_path, reports):
    source = source_of(server.url("a.tar"))
    path = fetch(source, tmp_path, report=reports, patience=HASTY)
    os.utime(path, (1, 1))
    assert not is_verified(source, path)
    fetch(source, tmp_path, report=reports, patience=HASTY)
    assert is_verified(source, path)
    assert len(server.asked) == 1
    was = path.stat()
    path.write_bytes(OTHER)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))  # as if the disk had lost bits
    receipt = read_json(receipt_path(path))
    write_json({**receipt, "sha256": "0" * 64}, receipt_path(path), replaces=True)
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    assert f"{path}: sha256 is" in reports


@pytest.mark.parametrize("fetched", [True, False])
def test_a_users_own_file_is_not_replaced(server, tmp_path, reports, fetched):
    """It stays whether or not ptnl fetched another file to its place before."""
    source, path = source_of(server.url("a.tar")), tmp_path / "a.tar"
    if fetched:
        fetch(source, tmp_path, report=reports, patience=HASTY)
    path.write_bytes(OTHER)
    with pytest.raises(
        InputError, match=r"a\.tar: sha256 is .*; it is not the file that ptnl fetch"
    ):
        fetch(source, tmp_path, report=reports, patience=HASTY)
    assert path.read_bytes() == OTHER
    target = tmp_path / "elsewhere"
    path.replace(target)
    path.symlink_to(target)
    with pytest.raises(InputError, match="not the file that ptnl fetched"):
        fetch(source, tmp_path, report=reports, patience=HASTY)
    assert target.read_bytes() == OTHER


def test_a_part_of_another_program_is_not_replaced(server, tmp_path, reports):
    """It may be the part that a browser leaves, or a folder with the name of ptnl's own."""
    (tmp_path / "a.tar.part").write_bytes(OTHER)
    source = source_of(server.url("a.tar"))
    fetch(source, tmp_path, report=reports, patience=HASTY)
    assert (tmp_path / "a.tar.part").read_bytes() == OTHER
    taken = tmp_path / "other/.a.tar.partial"
    taken.mkdir(parents=True)
    (taken / "part").write_bytes(OTHER)
    with pytest.raises(InputError, match=r"\.a\.tar\.partial: is in the way and ptnl did not make"):
        fetch(source, tmp_path / "other", report=reports, patience=HASTY)
    assert (taken / "part").read_bytes() == OTHER


def test_a_receipt_of_another_checksum_does_not_count(server, tmp_path, reports):
    path = fetch(source_of(server.url("a.tar"), optional=True), tmp_path, report=reports)
    assert not is_verified(source_of(content=OTHER), path)
    with pytest.raises(InputError, match="there is no URL for it"):
        fetch(source_of(content=OTHER), tmp_path, report=reports)
    assert not path.exists()


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_the_user_dropped_is_used(tmp_path, reports, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError(18, "cross")))
    manual = tmp_path / "manual"
    manual.mkdir()
    (manual / "a.tar").write_bytes(CONTENT)
    path = fetch(source_of("http://127.0.0.1:9/a.tar"), tmp_path / "here", manual, reports, HASTY)
    assert path.read_bytes() == CONTENT
    assert path.samefile(manual / "a.tar") == links
    assert f"taken from {manual / 'a.tar'} ({'hard link' if links else 'copy'})" in reports
    assert leftovers(tmp_path / "here") == set()


def test_a_wrong_file_that_the_user_dropped_is_refused(server, tmp_path, reports):
    (tmp_path / "a.tar").write_bytes(OTHER)
    source = source_of(server.url("a.tar"))
    path = fetch(source, tmp_path / "here", tmp_path, reports, HASTY)
    assert path.read_bytes() == CONTENT
    assert f"{tmp_path / 'a.tar'}: refused, sha256 is" in reports
    assert (tmp_path / "a.tar").read_bytes() == OTHER
    with pytest.raises(InputError, match=r"a\.tar: sha256 is .*; there is no URL for it"):
        fetch(source_of(), tmp_path / "there", tmp_path, reports, HASTY)


def test_a_short_file_that_the_user_dropped_is_refused(tmp_path, reports):
    (tmp_path / "a.tar").write_bytes(CONTENT[:-1])
    with pytest.raises(InputError, match=r"a\.tar: has 19999 bytes, expected 20000; there is no"):
        fetch(source_of(), tmp_path / "there", tmp_path, reports, HASTY)


def test_a_damaged_receipt_is_named(server, tmp_path, reports):
    path = fetch(source_of(server.url("a.tar")), tmp_path, report=reports)
    (tmp_path / "a.tar.receipt.json").write_text('{"bytes": 1}')
    with pytest.raises(InputError, match=r"a\.tar\.receipt\.json: damaged, .*; delete it"):
        is_verified(source_of(), path)


PROCESS = """
import sys
from pathlib import Path
from ptnl.fetch.download import fetch
from ptnl.fetch.sources import Source
from ptnl.fetch.answers import Patience
url, sha256, folder = sys.argv[1:]
source = Source("a.tar", "set", (url,), sha256=sha256)
fetch(source, Path(folder), patience=Patience(pause=0.001, read=3600))  # the test lets it stall
"""


def in_process(url: str, content: bytes, folder: Path, log: Path) -> subprocess.Popen:
    """A separate process that fetches into `folder` and reports into the file `log`."""
    command = [sys.executable, "-c", PROCESS, url, hashlib.sha256(content).hexdigest(), folder]
    with log.open("w") as file:
        return subprocess.Popen(list(map(str, command)), stderr=file)


def until(condition) -> None:
    while not condition():
        time.sleep(0.01)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch, code):
    def flock(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(InputError, match=rf"{tmp_path}: its file system has no locks .*flock"):
        fetch(source_of(), tmp_path)


def test_two_processes_fetch_once(server, tmp_path):
    held, folder = threading.Event(), tmp_path / "archives"
    server.faults["a.tar"] = [Fault(cut=10_000, stall=held)]
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    both = [in_process(server.url("a.tar"), CONTENT, folder, log) for log in logs]
    until(lambda: any("another process is fetching it" in log.read_text() for log in logs))
    held.set()
    assert [process.wait() for process in both] == [0, 0]
    assert [begin for _, begin in server.asked] == ["", "bytes=10000-"]  # from one process
    assert (folder / "a.tar").read_bytes() == CONTENT


def test_a_killed_process_leaves_no_lock_and_is_continued(server, tmp_path, reports):
    held = threading.Event()
    server.faults["a.tar"] = [Fault(cut=10_000, stall=held)]
    part = part_path(tmp_path / "a.tar")
    killed = in_process(server.url("a.tar"), CONTENT, tmp_path, tmp_path / "log")
    until(lambda: part.exists() and part.stat().st_size == 10_000)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    held.set()
    assert not (tmp_path / "a.tar").exists()
    source = source_of(server.url("a.tar"), sha256=hashlib.sha256(CONTENT).hexdigest())
    assert fetch(source, tmp_path, report=reports, patience=HASTY).read_bytes() == CONTENT
    assert "waiting" not in reports
    assert server.asked[-1] == ("a.tar", "bytes=10000-")


def test_a_disk_that_is_too_small_is_noticed_before_the_download(
    server, tmp_path, reports, monkeypatch
):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(20_000, 1, 19_999))
    with pytest.raises(InputError, match=r"a\.tar needs 20,000 bytes more, 19,999 are free"):
        fetch(source_of(server.url("a.tar")), tmp_path, report=reports, patience=HASTY)
    assert leftovers(tmp_path) == set()


def test_a_disk_that_fills_up_keeps_nothing(server, tmp_path, reports, small_disk):
    """The length is unknown, so only a full disk shows that it was too small."""
    server.files["a.tar"] = bytes(2 << 20)
    server.always["a.tar"] = Fault(tells_length=False)
    source = source_of(server.url("a.tar"), optional=True)
    with pytest.raises(InputError, match=r"the disk is full, while a\.tar was fetched"):
        fetch(source, small_disk, report=reports, patience=HASTY)
    assert leftovers(small_disk) == set()
    assert not (small_disk / "a.tar").exists()
    with pytest.raises(InputError, match=r"a\.tar needs 2,097,152 bytes more"):
        server.always.clear()
        fetch(source, small_disk, report=reports, patience=HASTY)


@pytest.mark.parametrize("known", [True, False])
def test_a_dropped_file_that_does_not_fit_the_disk_is_not_copied(
    tmp_path, reports, small_disk, known
):
    (tmp_path / "a.tar").write_bytes(bytes(2 << 20))
    with pytest.raises(InputError, match=r"a\.tar needs 2,097,152 bytes more"):
        fetch(source_of(optional=known), small_disk, tmp_path, reports, HASTY)
    assert leftovers(small_disk) == set()


def test_a_receipt_with_other_keys_is_named(tmp_path):
    path = tmp_path / "a.tar"
    write_json({"origin": "here"}, receipt_path(path))
    with pytest.raises(InputError, match=r"a\.tar\.receipt\.json: not a receipt .*; delete it"):
        read_receipt(path)
