"""Markdown becomes HTML whose tables can be sorted."""

from xml.etree import ElementTree

import pytest

from ptnl.analysis.html_tables import html

TABLE = """\
**Table 1.** Accuracies & more.

| Data set | Method | Accuracy | Time |
|:---|:---|---:|---:|
| Icons | a | **86.10** ± 2.00 | 1:02:03 |
|  | b | −1.5 [−2.0, −1.0] | 1,234 |
| Symbols | a | – | 1.18e+03 |
"""


def parsed(markdown: str, caption: str = "") -> ElementTree.Element:
    return ElementTree.fromstring(f"<body>{html(markdown, caption)}</body>")


def texts(elements) -> list[str]:
    return ["".join(element.itertext()).strip() for element in elements]


def test_the_paragraph_before_a_table_is_its_caption():
    page = parsed("Before.\n\n" + TABLE + "\nAfter.\n")
    assert texts(page.findall("p")) == ["Before.", "After."]
    assert texts(page.iter("caption")) == ["Table 1. Accuracies & more."]
    region = page.find("div")
    assert region.get("aria-label") == "Table 1. Accuracies & more."
    assert region.get("tabindex") == "0"  # so that a wide table can be scrolled by keyboard


def test_a_table_without_a_paragraph_takes_the_caption_it_is_given():
    table = TABLE.partition("\n\n")[2]
    assert texts(parsed("## Head\n\n" + table, "Said").iter("caption")) == ["Said"]
    assert list(parsed(table).iter("caption")) == []


def test_header_cells_have_scopes_and_those_of_columns_are_buttons():
    page = parsed(TABLE)
    heads = page.findall(".//thead//th")
    assert {head.get("scope") for head in heads} == {"col"}
    assert texts(page.findall(".//thead//button")) == ["Data set", "Method", "Accuracy", "Time"]
    assert texts(page.findall(".//tbody//th[@scope='row']")) == [
        *("Icons", "a"),
        *("Icons", "b"),
        *("Symbols", "a"),
    ]
    assert [e.text for e in page.findall(".//th[@class='again']")] == ["Icons"]


def test_cells_are_sorted_by_their_numeric_value():
    cells = parsed(TABLE).findall(".//td")
    keys = ["86.10", "3723", "-1.5", "1234", "", "1.18e+03"]
    assert [cell.get("data-sort") for cell in cells] == keys


def test_an_empty_cell_is_not_a_header():
    page = parsed("| Stage | Method | Jobs |\n|:--|:--|--:|\n| encode | | 4 |\n")
    assert texts(page.findall(".//tbody//th")) == ["encode"]
    assert texts(page.findall(".//tbody//td")) == ["", "4"]


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", 'a"b', "<img src=x onerror=y>"])
def test_markup_in_names_is_escaped(name):
    page = parsed(f"| {name} |\n|---|\n| {name} |\n", name)
    assert texts(page.iter("caption")) == [name]
    assert texts(page.iter("button")) == [name]
    assert {element.tag for element in page.iter()} <= set(
        "body div table caption span thead tbody tr th td button".split()
    )
