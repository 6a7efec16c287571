"""The user's images, names and labels are read as they are; one sentence says what is wrong."""

import numpy as np
import pytest

from ptnl.errors import InputError
from ptnl.own.inputs import UNLABELLED, classes_of, label_numbers, list_images, read_labels
from ptnl.own.names import check_template, read_classes
from ptnl.own.output import claim
from tests.unit.pictures import photograph


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    for name in ("cat/b.png", "cat/a.JPG", "dog/c.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        photograph().save(folder / name)
    (folder / "notes.txt").write_text("no image")
    (folder / ".thumbs").mkdir()
    photograph().save(folder / ".thumbs/d.png")
    return folder


def test_images_are_found_at_any_depth_without_hidden_ones(images):
    assert list_images(images) == ["cat/a.JPG", "cat/b.png", "dog/c.png"]


@pytest.mark.parametrize("name", ["empty", "missing"])
def test_a_folder_without_images_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=name):
        list_images(tmp_path / name)


def test_names_are_read_line_by_line(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("\ufeffhot_dog\n007\nNone\n\n", encoding="utf-8")
    classes = read_classes(path)
    assert classes.names == ["hot_dog", "007", "None"]
    assert classes.texts("a {}.") == ["a hot dog.", "a 007.", "a None."]


def test_a_table_of_classes_may_give_other_words_for_the_prompt(tmp_path):
    path = tmp_path / "classes.csv"
    path.write_text('class,prompt\ncrane,"crane, a bird"\nbarn_owl,\n')
    classes = read_classes(path)
    assert classes.names == ["crane", "barn_owl"]
    assert classes.texts("a photo of a {}.") == [
        "a photo of a crane, a bird.",
        "a photo of a barn owl.",
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "needs two classes or more, holds 0"),
        ("cat\n", "needs two classes or more, holds 1"),
        ("cat\n\ndog\n", "row 2 is empty"),
        ("cat\ndog\ncat\n", "'cat' is named twice"),
    ],
)
def test_wrong_names_are_refused(tmp_path, content, sentence):
    path = tmp_path / "classes.txt"
    path.write_text(content)
    with pytest.raises(InputError, match=sentence):
        read_classes(path)


def test_files_of_names_that_cannot_be_read_are_refused(tmp_path):
    table, text = tmp_path / "classes.csv", tmp_path / "classes.txt"
    table.write_text("name,prompt\ncrane,a bird\nowl,\n")
    with pytest.raises(InputError, match=r"classes\.csv: needs the column class"):
        read_classes(table)
    text.write_bytes(b"caf\xe9\ntea\n")
    with pytest.raises(InputError, match=r"classes\.txt: not readable as text"):
        read_classes(text)


def test_five_thousand_names_are_read(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("".join(f"class {number}\n" for number in range(5000)))
    assert len(read_classes(path).names) == 5000


@pytest.mark.parametrize("template", ["a photo", "{} and {}", "a {} of {x}", "{{}}"])
def test_a_template_needs_exactly_one_place_for_the_name(template):
    with pytest.raises(InputError, match="exactly once"):
        check_template(template)


def test_labels_come_from_a_table_or_from_folders(images, tmp_path):
    found = list_images(images)
    assert read_labels("folders", images, found)["dog/c.png"] == "dog"
    table = tmp_path / "labels.csv"
    table.write_text("image,label\ncat/a.JPG,dog\ndog/c.png,\n")
    labels = read_labels(str(table), images, found)
    assert labels == {"cat/a.JPG": "dog"}
    classes = classes_of({"a": "cat", "b": "dog"}, "labels")
    numbers = label_numbers(labels, found, classes, "labels")
    assert np.array_equal(numbers, [1, UNLABELLED, UNLABELLED])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("image,label\ncat/x.png,cat\ncat/a.JPG,cat\n", r"row 2 names 'cat/x.png'.*1 of 2 rows"),
        ("image,label\ncat/a.JPG,cat\ncat/a.JPG,dog\n", "row 3 names 'cat/a.JPG' a second time"),
        ("picture,label\ncat/a.JPG,cat\n", "needs the columns image and class_name or label"),
        ("image,label\ncat/a.JPG,\n", "holds no label"),
        ("", "not readable as CSV"),
    ],
)
def test_wrong_tables_of_labels_are_refused(images, tmp_path, content, sentence):
    table = tmp_path / "labels.csv"
    table.write_text(content)
    with pytest.raises(InputError, match=sentence):
        read_labels(str(table), images, list_images(images))


def test_a_label_that_is_not_a_class_is_refused(images):
    labels = read_labels("folders", images, list_images(images))
    classes = classes_of({"a": "cat", "b": "cow"}, "labels")
    with pytest.raises(InputError, match=r"'dog/c.png' is labelled 'dog'"):
        label_numbers(labels, list_images(images), classes, "folders")


def test_output_is_not_written_among_the_users_files(images, tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs/thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("")
    for out, sentence in (
        (images / "adapted", "lies in your folder"),
        (tmp_path, "holds your folder"),
        (tmp_path / "theirs", "has not made"),
        (tmp_path / "file", "is a file"),
    ):
        with pytest.raises(InputError, match=sentence):
            claim(out, "mark.json", "a kind", images)
    (tmp_path / "theirs/mark.json").write_text('{"kind": "another kind"}')
    with pytest.raises(InputError, match="has not made"):
        claim(tmp_path / "theirs", "mark.json", "a kind", images)
    assert (tmp_path / "theirs/thesis.txt").read_text() == "years of work"
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours/mark.json").write_text('{"kind": "a kind"}')
    for name in ("ours", "new", "new"):
        assert claim(tmp_path / name, "mark.json", "a kind", images).is_dir()
