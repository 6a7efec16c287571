"""Archives are unpacked whole or not at all, and nothing is written outside their folder."""

import io
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ptnl.data.archives import unpack
from ptnl.errors import InputError
from ptnl.fetch import disk
from ptnl.fetch.extract import extract
from ptnl.fetch.ownership import make_scratch

FILES = {"set/images/a.jpg": b"a" * 3000, "set/images/b.jpg": b"", "set/list.txt": b"a\nb\n"}


def tar(path: Path, *members: tarfile.TarInfo | tuple[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as file:
        for member in members:
            info = tarfile.TarInfo(member[0]) if isinstance(member, tuple) else member
            content = member[1] if isinstance(member, tuple) else b""
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def zipped(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def found(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.bz2", "tar.xz", "zip"])
def test_archives_of_every_kind_are_extracted(tmp_path, kind):
    path = tmp_path / f"archive.{kind}"
    if kind == "zip":
        zipped(path, ("set/empty/", b""), *FILES.items())
    else:
        folder = tarfile.TarInfo("./set/empty")
        folder.type = tarfile.DIRTYPE
        tar(path, folder, *FILES.items(), mode="w:" + kind.partition(".")[2])
    extract(path, tmp_path / "deep" / "out")
    assert found(tmp_path / "deep" / "out") == FILES
    assert (tmp_path / "deep/out/set/empty").is_dir()
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["out"]


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_chosen_members_are_extracted(tmp_path, kind):
    path = (zipped if kind == "zip" else tar)(tmp_path / "archive", *FILES.items())
    extract(path, tmp_path / "out", ["set/list.txt"])
    assert found(tmp_path / "out") == {"set/list.txt": FILES["set/list.txt"]}
    with pytest.raises(InputError, match=r"archive: has no member 'set/none'"):
        extract(path, tmp_path / "more", ["set/list.txt", "set/none"])
    assert not (tmp_path / "more").exists()


NAMES = ["../out.txt", "a/../../out.txt", "/tmp/out.txt", "C:/out.txt", "C:out.txt", "..\\out.txt"]
NAMES += ["\\\\host\\share\\out.txt", "a/..", ".."]


@pytest.mark.parametrize("kind", ["tar", "zip"])
@pytest.mark.parametrize("name", NAMES)
def test_member_names_that_lead_out_of_the_folder_write_nothing(tmp_path, kind, name):
    inside = tmp_path / "inside"
    inside.mkdir()
    members = [*FILES.items(), (name, b"x")]
    path = (zipped if kind == "zip" else tar)(tmp_path / "archive", *members)
    with pytest.raises(InputError, match=r"archive: refused, its member .* leads out"):
        extract(path, inside / "out")
    assert list(inside.iterdir()) == []
    assert {p.name for p in tmp_path.iterdir()} == {"archive", "inside"}


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE],
)
@pytest.mark.parametrize("target", ["../../secret", "/etc/passwd", "set/list.txt"])
def test_links_and_devices_write_nothing(tmp_path, kind, target):
    info = tarfile.TarInfo("set/odd")
    info.type, info.linkname = kind, target
    path = tar(tmp_path / "archive", *FILES.items(), info, ("set/odd/under", b"x"))
    with pytest.raises(InputError, match=r"'set/odd' is a link or a device"):
        extract(path, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["archive"]


def test_links_in_a_zip_write_nothing(tmp_path):
    info = zipfile.ZipInfo("odd")
    info.external_attr = 0o120777 << 16
    path = zipped(tmp_path / "archive", (info, b"/etc"), ("odd/passwd", b"x"))
    with pytest.raises(InputError, match="'odd' is a link or a device"):
        extract(path, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["archive"]


@settings(max_examples=30)
@given(cut=st.floats(0, 0.999), kind=st.sampled_from(["tar", "tar.gz", "zip", "tar.bz2"]))
def test_a_cut_archive_leaves_nothing(tmp_path_factory, cut, kind):
    folder = tmp_path_factory.mktemp("cut")
    path = folder / "archive"
    if kind == "zip":
        zipped(path, *FILES.items())
    else:
        tar(path, *FILES.items(), mode="w:" + kind.partition(".")[2])
    whole = path.read_bytes()
    end = 11 * 512 if kind == "tar" else len(whole)  # a tar ends in zeros, which may be cut
    path.write_bytes(whole[: int(cut * end)])
    with pytest.raises(InputError, match="archive: not readable as an archive"):
        extract(path, folder / "out")
    assert [p.name for p in folder.iterdir()] == ["archive"]


def test_a_damaged_member_leaves_nothing(tmp_path):
    path = zipped(tmp_path / "archive", ("a", b"abc" * 1000), ("b", b"abd" * 1000))
    content = bytearray(path.read_bytes())
    content[content.index(b"b", 60) + 5] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match="archive: not readable as an archive"):
        extract(path, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["archive"]


def test_a_wrong_checksum_of_gzip_leaves_nothing(tmp_path):
    path = tar(tmp_path / "archive", *FILES.items(), mode="w:gz")
    content = bytearray(path.read_bytes())
    content[-8] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"archive: not readable .*CRC check failed"):
        extract(path, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["archive"]


def test_a_member_that_is_both_file_and_folder_leaves_nothing(tmp_path):
    path = tar(tmp_path / "archive", ("a", b"x"), ("a/b", b"y"))
    with pytest.raises(OSError, match="File exists"):
        extract(path, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["archive"]


def test_an_encrypted_zip_and_a_missing_file_are_refused(tmp_path):
    path = zipped(tmp_path / "archive", ("a", b"abc"))
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the zip's directory says: encrypted
    content[6] |= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"archive: not readable .* encrypted"):
        extract(path, tmp_path / "out")
    with pytest.raises(FileNotFoundError):
        extract(tmp_path / "none", tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["archive"]


def test_an_existing_folder_is_not_replaced(tmp_path):
    path = tar(tmp_path / "archive", *FILES.items())
    (tmp_path / "out").mkdir()
    with pytest.raises(InputError, match="out: is there already"):
        extract(path, tmp_path / "out")


def test_what_a_killed_process_left_is_replaced(tmp_path):
    path = tar(tmp_path / "archive", *FILES.items())
    (make_scratch(tmp_path / "out") / "half").write_text("x")
    extract(path, tmp_path / "out")
    assert found(tmp_path / "out") == FILES
    assert not (tmp_path / ".out.partial").exists()


def test_an_archive_that_does_not_fit_the_disk_is_not_unpacked(tmp_path, small_disk):
    path = tar(tmp_path / "archive.tar.gz", ("zeros", bytes(3 << 20)), mode="w:gz")
    with pytest.raises(InputError, match=r"small_disk: archive.tar.gz needs 3,145,728 bytes more"):
        extract(path, small_disk / "out")
    assert list(small_disk.iterdir()) == []


def test_a_disk_that_fills_up_keeps_nothing(tmp_path, small_disk, monkeypatch):
    plenty = SimpleNamespace(free=1 << 40)
    monkeypatch.setattr(disk, "shutil", SimpleNamespace(disk_usage=lambda _: plenty))
    path = tar(tmp_path / "archive", ("a", bytes(1 << 19)), ("b", bytes(1 << 20)))
    with pytest.raises(InputError, match=r"small_disk: the disk is full, while .*archive"):
        extract(path, small_disk / "out")
    assert list(small_disk.iterdir()) == []


def test_unpack_takes_one_folder_and_replaces_no_file(tmp_path):
    archive = zipped(tmp_path / "a.zip", *FILES.items(), ("notes.txt", b""))
    folder = tmp_path / "images"
    with pytest.raises(InputError, match=r"a\.zip: holds no folder other"):
        unpack(archive, folder, "other")
    assert found(folder) == {}
    unpack(archive, folder, "set")
    before = found(folder)
    assert before == {name.removeprefix("set/"): content for name, content in FILES.items()}
    with pytest.raises(InputError, match=r"a\.zip: holds .*, which another archive held too"):
        unpack(archive, folder, "set")
    assert found(folder) == before
