"""The documentation builds without warnings, is complete, and loads nothing from a server."""

import re
from html import unescape
from pathlib import Path

import pytest

from ptnl import schemas
from ptnl.cli.main import commands
from ptnl.study.config import Rules
from tests.chromium import Browser, executable
from tests.warm import called


@pytest.fixture(scope="module")
def built(root, tmp_path_factory) -> Path:
    """The pages, built as `make docs` builds them."""
    pages = tmp_path_factory.mktemp("docs")
    recipe = (root / "Makefile").read_text()
    options = re.search(r"sphinx-build (.*) workflow/docs results/docs", recipe).group(1).split()
    assert "--fail-on-warning" in options
    build = "import sys; from sphinx.cmd.build import main; sys.exit(main(sys.argv[1:]))"
    command = ["python", "-c", build, *options, str(root / "workflow/docs"), str(pages)]
    result = called(command, root)
    assert result.returncode == 0, result.stderr
    return pages


def html(built: Path, page: str) -> str:
    return (built / f"{page}.html").read_text()


def test_every_page_is_in_the_index(root, built):
    """The build warns of a page outside the index, too; this test says which page it is."""
    names = {path.stem for path in (root / "workflow/docs").glob("*.md")}
    index = html(built, "index")
    assert {name for name in names - {"index"} if f'href="{name}.html"' not in index} == set()


def headings(built: Path, page: str) -> list[str]:
    """The texts of a page's headings."""
    found = re.findall(r"<h[1-4]>(.*?)</h[1-4]>", html(built, page), flags=re.S)
    return [unescape(re.sub(r"<a class=\"headerlink.*?</a>|<[^>]+>", "", text)) for text in found]


def test_every_command_key_and_table_has_a_section(built):
    assert {f"ptnl {name}" for name in commands()} <= set(headings(built, "commands"))
    keys = Rules.shipped().schema["properties"]
    sections = set(headings(built, "configuration"))
    assert set(keys) <= sections
    assert {f"methods.{method}" for method in keys["methods"]["properties"]} <= sections
    tables = {name for name, table in vars(schemas).items() if isinstance(table, dict)}
    assert {"MANIFEST", "RUNS", "CLAIMS"} <= tables & set(headings(built, "columns"))


def test_options_and_columns_are_in_their_sections(built):
    adapt = html(built, "commands").split('id="ptnl-adapt"', 1)[1].split("<section", 1)[0]
    for option in ("--classes", "--labels", "--template", "--backbone", "~/.cache/ptnl/features"):
        assert f">{option}<" in adapt
    assert ">required<" in adapt.replace("<p>", "").replace("</p>", "")
    manifest = html(built, "columns").split('id="manifest"', 1)[1].split("<section", 1)[0]
    assert [column for column in schemas.MANIFEST if f">{column}<" not in manifest] == []


def test_functions_are_documented_from_their_docstrings(built):
    page = html(built, "api")
    for name in ("ptnl.own.adapt.adapt", "ptnl.training.losses.generalised_cross_entropy"):
        assert f'id="{name}"' in page
    assert "Zhang &amp; Sabuncu 2018" in page


def test_nothing_is_loaded_from_another_server(built):
    """Links may lead elsewhere; scripts, styles, fonts and pictures may not."""
    loads = re.compile(r"""<(?:script|img|iframe|source)[^>]*\ssrc=["'](?:https?:)?//[^"']*""")
    styles = re.compile(r"""<link[^>]*\srel=["'](?:stylesheet|preload)["'][^>]*//[^>]*""")
    for page in built.rglob("*.html"):
        text = page.read_text()
        assert loads.findall(text) + styles.findall(text) == [], page


def test_links_to_files_of_the_repository_lead_to_built_pages(built):
    links = set(re.findall(r'href="(files/[^"#]+)"', html(built, "datasets")))
    assert "files/ptnl/fetch/sources.yaml.html" in links
    assert [link for link in links if not (built / link).is_file()] == []


def test_external_links_are_listed(built):
    listed = (built / "external-links.txt").read_text().splitlines()
    assert any(line.startswith("https://github.com/KaiyangZhou/CoOp  (") for line in listed)
    assert all(line.startswith(("http://", "https://")) for line in listed)


def test_an_index_belongs_to_the_whole_accented_letter(root, monkeypatch):
    monkeypatch.syspath_prepend(str(root / "workflow/docs/_sphinx"))
    from mathml import mathml

    for tex, order in (
        (r"\hat x_i", ["msub", "mover", "mi", "mo", "mi"]),
        (r"\hat x_i^\top", ["msubsup", "mover", "mi", "mo", "mi", "mi"]),
        (r"\sum_i^n x", ["munderover", "mo", "mi", "mi", "mi"]),
    ):
        assert re.findall(r"<(m\w+)", mathml(tex, as_block=False))[1:] == order


def test_equations_are_drawn_without_a_script(built):
    page = html(built, "equations")
    assert page.count("<math ") > 80
    assert "$$" not in page
    assert "munderover" not in re.sub(r"<munderover>\s*<mo\b", "", page).replace(
        "</munderover>", ""
    )


# In a theme and at a width, the rules that axe checks: what can differ there, and all at last.
# Pages open in the first look: their scripts then see which parts scroll on a narrow screen.
LOOKS = {
    ("dark", 390): ("scrollable-region-focusable", "target-size"),
    ("dark", 1300): ("color-contrast",),
    ("light", 1300): (),
}


def written_pages(built: Path) -> list[Path]:
    """All pages of prose and reference, and of each kind of code listing the shortest."""
    listings = sorted((built / "files").rglob("*.html"), key=lambda page: page.stat().st_size)
    of_kind = {page.stem.rpartition(".")[2]: page for page in reversed(listings)}
    modules = sorted(
        (built / "_modules/ptnl").rglob("*.html"), key=lambda page: page.stat().st_size
    )
    return [*sorted(built.glob("*.html")), *of_kind.values(), modules[0]]


@pytest.mark.skipif(executable() is None, reason="no Chromium on this machine")
def test_axe_finds_no_violation_on_any_page(built, tmp_path):
    found = {}
    with Browser(tmp_path / "profile", tmp_path) as browser:
        for page in written_pages(built):
            for look, rules in LOOKS.items():
                theme, width = look
                browser.show_as(theme)
                browser.resize(width, 900)
                if look == next(iter(LOOKS)):
                    browser.open(page)
                assert browser.value("document.documentElement.dataset.theme") == theme
                found[page.name, *look] = browser.violations(*rules)
    assert len(found) > 100
    assert {where: said for where, said in found.items() if said} == {}
