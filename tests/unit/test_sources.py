"""The table of sources of data sets, and overlays that change it."""

import pytest

from ptnl.errors import InputError
from ptnl.fetch.sources import load_sources
from tests.unit.fresh_process import loaded

PETS = "oxford_pets: {files: {images.tar.gz: {urls: [http://127.0.0.1/a], bytes: 5}}}"


@pytest.fixture
def overlay(tmp_path):
    def write(text: str):
        path = tmp_path / "mirror.yaml"
        path.write_text(text)
        return path

    return write


def test_the_table_holds_the_papers_data_sets():
    sources = load_sources()
    assert list(dict.fromkeys(source.dataset for source in sources.values())) == [
        *("oxford_pets", "food101", "dtd", "ucf101", "flowers102", "fgvc_aircraft"),
        *("caltech101", "imagenet"),
    ]
    assert all(
        source.homepage and source.licence and source.citation for source in sources.values()
    )
    by_hand = {name for name, source in sources.items() if not source.urls}
    assert by_hand == {
        "ILSVRC2012_img_train.tar",
        "ILSVRC2012_img_val.tar",
        "ILSVRC2012_devkit_t12.tar.gz",
    }
    unpublished = {name for name, source in sources.items() if not source.has_checksum}
    assert unpublished == {"UCF-101-midframes.zip", "cat_to_name.json", "classnames.txt"}
    assert sum(source.optional for source in sources.values()) == 2


def test_an_overlay_replaces_the_whole_entry_of_a_file(overlay):
    before = load_sources()
    sources = load_sources(overlay(PETS))
    changed = sources["images.tar.gz"]
    assert (changed.urls, changed.bytes, changed.md5) == (("http://127.0.0.1/a",), 5, "")
    assert changed.homepage == before["images.tar.gz"].homepage
    assert list(sources) == list(before)
    assert {name for name in before if before[name] != sources[name]} == {"images.tar.gz"}


def test_an_overlay_may_add_a_data_set(overlay):
    sources = load_sources(overlay("mine: {licence: MIT, files: {mine.zip: {}}}"))
    assert sources["mine.zip"].licence == "MIT"
    assert sources["mine.zip"].urls == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("- a", ".* is not of type 'object'"),
        ("a: [", "not readable as YAML"),
        ("dtd: {files: {}}", "dtd: files: "),
        ("dtd: {file: {}}", "dtd: .*'file' was unexpected|dtd: 'files' is a required"),
        ("dtd: {files: {a.zip: {url: [http://a]}}}", "dtd: files: a.zip: .*'url' was unexpected"),
        ("dtd: {files: {a.zip: {urls: [ftp://a/b]}}}", "dtd: files: a.zip: urls: 0: 'ftp://a/b'"),
        ("dtd: {files: {a.zip: {urls: http://a}}}", "dtd: files: a.zip: urls: .*'array'"),
        ("dtd: {files: {a.zip: {md5: ABC}}}", "dtd: files: a.zip: md5: 'ABC' does not match"),
        ("dtd: {files: {a.zip: {bytes: 1.5}}}", "dtd: files: a.zip: bytes: 1.5 is not"),
        ("../dtd: {files: {a.zip: {}}}", "'../dtd' does not match"),
        ("dtd: {files: {../a.zip: {}}}", "dtd: files: '../a.zip' does not match"),
        (
            "dtd: {files: {images.tar.gz: {}}}",
            "dtd: files: images.tar.gz: is a file of oxford_pets already",
        ),
    ],
)
def test_a_bad_table_is_named_with_its_key(overlay, text, sentence):
    with pytest.raises(InputError, match=rf"mirror\.yaml: ({sentence})"):
        load_sources(overlay(text))


def test_a_missing_overlay_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none\.yaml: not readable as YAML"):
        load_sources(tmp_path / "none.yaml")


def test_fetching_does_not_import_torch():
    imports = "import ptnl.fetch.sources, ptnl.fetch.download, ptnl.fetch.extract"
    assert loaded(imports, "torch") == []
