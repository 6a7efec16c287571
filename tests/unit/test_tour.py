"""Files, functions, rules and the image that the tour of the code names exist."""

import re

import pandas as pd
import pytest

from ptnl.study.source_code import is_defined


@pytest.fixture(scope="module")
def page(root) -> str:
    return (root / "workflow/docs/tour.md").read_text()


def test_every_path_exists(root, page):
    paths = set(re.findall(r"`((?:ptnl|workflow|tests)/[^`]*|config\.yaml)`", page))
    assert len(paths) > 30
    assert {path for path in paths if not (root / path).exists()} == set()


def test_every_function_is_where_the_page_says(page):
    named = re.findall(r"`(\w+)(?:\(\))?`\s+in\s+`(ptnl/[^`]*)\.py`", page)
    assert len(named) > 12
    missing = [
        f"{path}: {name}"
        for name, path in named
        if not is_defined(f"{path}.{name}".replace("/", "."))
    ]
    assert missing == []


def test_every_rule_is_where_the_page_says(root, page):
    rules = "".join(path.read_text() for path in (root / "workflow/rules").glob("*.smk"))
    named = {
        name
        for line in re.findall(r"\(Rules? ([^)]*)\)", page)
        for name in re.findall(r"`(\w+)`", line)
    }
    assert len(named) > 5
    for name in named:
        rule = name.removesuffix("_symmetric")
        assert f"rule {rule}:" in rules or f'f"{rule}_{{noise}}' in rules, name


def test_the_image_is_in_the_data_set(root, page):
    image = re.search(r"`([\w-]+/[\w-]+)\.png`", page).group(1)
    images = pd.read_parquet(root / "ptnl/assets/symbols.parquet").set_index("image")
    row = images.loc[image]
    assert (row.label, row.split, row.class_name) == (0, "train", "arrow down")
