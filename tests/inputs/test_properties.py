"""Random folders and tables: no image is lost without a word, and nothing is changed."""

import csv
import io
import os
import string
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from ptnl.data.folder_tree import scan
from ptnl.data.image_files import has_image_ending, is_image
from ptnl.data.own_folder import index as index_folder
from ptnl.data.own_manifest import index as index_table
from ptnl.data.table_files import read_table
from ptnl.errors import InputError
from tests.inputs.rows import classes, png, write
from tests.snapshot import snapshot

# Names as people, systems and attackers give them: hidden, with line breaks, in other scripts.
ODD = st.sampled_from(
    [
        *("train", "Test", "val", "valid", "0", "1", "10", "n01440764", ".hidden", "Thumbs.db"),
        *("__MACOSX", ".ipynb_checkpoints", "a b", "a_b", "A b", "é", "e\u0301", "貓", "$(x)"),
        *("-rf", "quote'\"", "line\nbreak", "tab\t", "back\\slash", "~", "x~", "#", "%41", "…"),
    ]
)
PLAIN = st.text(string.ascii_letters + string.digits + "._- ", min_size=1, max_size=6).filter(
    lambda name: name not in (".", "..")
)
FOLDER_NAME = st.one_of(ODD, PLAIN)
ENDING = st.sampled_from(["", ".png", ".PNG", ".jpg", ".JPeG", ".tiff", ".txt", ".json", ".odd"])
FILE_NAME = st.builds(lambda name, ending: name + ending, FOLDER_NAME, ENDING)
PATH = st.builds(lambda above, name: (*above, name), st.lists(FOLDER_NAME, max_size=3), FILE_NAME)
CONTENT = st.one_of(st.integers(0, 20).map(png), st.sampled_from([b"", b"text", png()[:40]]))
TREES = st.dictionaries(PATH, CONTENT, max_size=12)
LINKS = st.lists(st.tuples(PATH, PATH), max_size=4)


def made(root: Path, files: dict, links: list) -> None:
    """Write a tree of files and links; those whose path is taken already are left out."""
    for path, content in files.items():
        try:
            write(root.joinpath(*path), content)
        except OSError:
            continue
    for path, target in links:
        link = root.joinpath(*path)
        try:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(root.joinpath(*target[:-1]))  # a folder, perhaps one above the link
        except OSError:
            continue


@settings(max_examples=60)
@given(files=TREES, links=LINKS)
def test_every_file_is_listed_once_as_an_image_or_as_skipped(files, links):
    with TemporaryDirectory() as folder:
        root = Path(folder)
        made(root, files, links)
        before = snapshot(root)
        tree = scan(root, ".")
        assert snapshot(root) == before
        listed = Counter([*tree.images, *(p for paths in tree.passed_over.values() for p in paths)])
        assert set(listed.values()) <= {1}
        there = {
            Path(parent, name).relative_to(root).as_posix()
            for parent, _, names in os.walk(root)
            for name in names
        }
        assert there <= set(listed)
        for name in set(listed) - there:  # reached by a link, or a link that is not followed
            assert any((root / place).is_symlink() for place in (name, *Path(name).parents))
        for image in tree.images:
            assert has_image_ending(image) or is_image(root / image)


@settings(max_examples=60)
@given(files=TREES, links=LINKS, complete=st.booleans())
def test_a_tree_is_indexed_or_refused_in_one_sentence(files, links, complete):
    with TemporaryDirectory() as folder:
        root = Path(folder)
        if complete:  # most random trees are no data sets
            classes(root, "cat", "dog", first=100)
        made(root, files, links)
        before = snapshot(root)
        try:
            manifest = index_folder("mine", root, {"folder": str(root)})
        except InputError as error:
            assert str(error).isprintable()
        else:
            assert not manifest.image.duplicated().any()
            assert all(has_image_ending(i) or is_image(root / i) for i in manifest.image)
            assert set(manifest.split) <= {"train", "val", "test"}
            assert (manifest.groupby("label").class_name.nunique() == 1).all()
        assert snapshot(root) == before


CELL = st.text(
    st.characters(codec="utf-8", exclude_characters="\0\r\n", exclude_categories=["Cs"]),
    min_size=1,
    max_size=8,
).filter(lambda cell: cell.strip() == cell)


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8),
    separator=st.sampled_from([",", ";", "\t", "|"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    index=st.booleans(),
)
def test_every_cell_of_a_csv_is_read_back(rows, separator, quoting, end, encoding, index):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=quoting, lineterminator=end)
    writer.writerow([*([""] if index else []), "image", "class_name"])
    writer.writerows([*([str(n)] if index else []), *row] for n, row in enumerate(rows))
    with TemporaryDirectory() as folder:
        path = write(Path(folder) / "a.csv", text.getvalue().encode(encoding))
        table = read_table(path, {"image": ("image",), "class_name": ("class_name",)})
    assert list(zip(table.text("image"), table.text("class_name"), strict=True)) == rows
    assert table.rows == list(range(1, len(rows) + 1))


@settings(max_examples=100)
@given(content=st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
def test_any_bytes_are_read_as_a_table_or_refused_in_one_sentence(content):
    with TemporaryDirectory() as folder:
        path = write(Path(folder) / "a.csv", b"image,class_name\n" + content)
        options = {"manifest": str(path), "images": folder}
        before = snapshot(Path(folder))
        try:
            manifest = index_table("mine", Path(folder), options)
        except InputError as error:
            assert str(error).isprintable()
        else:
            assert not manifest.image.duplicated().any()
        assert snapshot(Path(folder)) == before
