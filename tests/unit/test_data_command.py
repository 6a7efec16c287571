"""`ptnl data`, with archives from a server on this machine."""

import hashlib

import pytest

from ptnl.cli.data import main
from ptnl.errors import InputError
from ptnl.fetch.ownership import make_scratch
from tests.faulty_server import serving

IMAGES = b"i" * 5000
SPLIT = b"{}"


@pytest.fixture
def overlay(tmp_path):
    """A table of sources: a.zip can be downloaded, b.json only by hand, and c.zip is optional."""
    with serving() as server:
        server.files = {"a.zip": IMAGES, "c.zip": IMAGES}
        path = tmp_path / "sources.yaml"
        path.write_text(
            f"""
            tiny:
              homepage: https://example.org
              files:
                a.zip:
                  urls: ["{server.url("a.zip")}"]
                  md5: {hashlib.md5(IMAGES).hexdigest()}
                  bytes: 5000
                b.json: {{sha256: {hashlib.sha256(SPLIT).hexdigest()}}}
                c.zip: {{urls: ["{server.url("c.zip")}"], optional: true}}
            """
        )
        yield path


@pytest.fixture
def data(overlay, tmp_path, capsys):
    """Call `ptnl data`; returns what it printed."""

    def call(action: str, *names: str) -> str:
        main([action, *names, "--data-root", str(tmp_path / "data"), "--sources", str(overlay)])
        return capsys.readouterr().out

    return call


def states(text: str) -> dict[str, str]:
    """File -> state, from the table that `status` prints."""
    rows = [line.split("  ") for line in text.splitlines() if line.startswith("  ")]
    return {row[1]: next(filter(None, row[2:])).strip() for row in rows}


def test_status_says_what_is_missing_partial_or_there(data, tmp_path):
    nothing = {"a.zip": "missing", "b.json": "missing, by hand", "c.zip": "optional"}
    assert states(data("status", "tiny")) == nothing
    folder = tmp_path / "data/tiny/archives"
    assert data("fetch", "tiny").splitlines() == [str(folder / "a.zip")]
    (folder / "b.json").write_bytes(SPLIT)
    (make_scratch(folder / "c.zip") / "part").write_bytes(IMAGES[:100])
    after = data("status", "tiny")
    assert states(after) == {"a.zip": "there", "b.json": "not verified", "c.zip": "partial"}
    assert after.splitlines()[0] == f"tiny: 1 of 3 files, 5 kB, in {folder}"
    assert after.splitlines()[1].endswith("5 kB  of 5 kB")
    assert len(states(data("status"))) > 20


def test_optional_files_and_those_by_hand_are_fetched_by_name(data, tmp_path):
    with pytest.raises(InputError, match=r"1 of 2 files failed: b\.json"):
        data("fetch", "b.json", "c.zip")
    (tmp_path / "data/manual").mkdir()
    (tmp_path / "data/manual/b.json").write_bytes(SPLIT)
    data("fetch", "b.json")
    assert states(data("status", "tiny")) == {
        "a.zip": "missing",
        "b.json": "there",
        "c.zip": "there",
    }


def test_after_a_file_that_fails_the_others_are_fetched(data, tmp_path, capsys):
    with pytest.raises(InputError, match=r"1 of 2 files failed: b\.json"):
        data("fetch", "b.json", "a.zip")
    assert (tmp_path / "data/tiny/archives/a.zip").read_bytes() == IMAGES
    assert (
        "b.json: could not be fetched (there is no URL for it); get it from"
        in capsys.readouterr().err
    )


def test_verify_names_bad_files(data, tmp_path):
    assert data("verify", "tiny") == "0 of 3 files are there, 0 are right\n"
    data("fetch", "a.zip", "c.zip")
    assert data("verify").endswith("files are there, 2 are right\n")
    for name in ("a.zip", "c.zip"):
        (tmp_path / "data/tiny/archives" / name).write_bytes(IMAGES[:-1] + b"x")
    with pytest.raises(InputError, match=r"bad files: a\.zip, c\.zip; delete them, then"):
        data("verify", "tiny")
    with pytest.raises(InputError, match=r"1 of 1 files failed: a\.zip"):
        data("fetch", "a.zip")  # the file has changed, so the user may have put it there
    (tmp_path / "data/tiny/archives/a.zip").unlink()
    data("fetch", "a.zip")
    with pytest.raises(InputError, match=r"bad files: c\.zip;"):
        data("verify", "tiny")


def test_an_unknown_name_is_refused(data):
    with pytest.raises(InputError, match="no data set or file 'dtdd'"):
        data("fetch", "dtdd")
