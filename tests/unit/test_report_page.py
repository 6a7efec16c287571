"""The report page in a browser: sorting by keyboard, themes, phone, print, accessibility."""

import pytest

from tests.chromium import Browser, executable
from tests.unit.made_up_report import reported

pytestmark = pytest.mark.skipif(executable() is None, reason="no Chromium on this machine")
OPEN_ALL = "document.querySelectorAll('details').forEach(part => part.open = true)"
# A property of the cells in one column of the first table, which has the accuracies under noise.
COLUMN = "[...document.querySelectorAll('table')[0].tBodies[0].rows].map(row => row.cells[{}].{})"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return reported(tmp_path_factory.mktemp("report") / "toy") / "report.html"


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A browser for all tests."""
    folder = tmp_path_factory.mktemp("browser")
    with Browser(folder / "profile", folder) as browser:
        yield browser


@pytest.fixture
def browser(page, started):
    """The browser with the report newly opened, in a window of a usual size and the light theme."""
    started.show_as()
    started.resize(1280, 720)
    started.open(page)
    return started


def test_the_page_loads_without_requests_or_errors(browser):
    browser.value(OPEN_ALL)
    assert all(url.startswith(("file://", "data:image/")) for url in browser.requests())
    assert browser.complaints() == []
    assert browser.value("[...document.images].every(image => image.naturalWidth > 0)")


def test_an_error_on_a_page_is_noticed(browser, tmp_path):
    (tmp_path / "wrong.html").write_text("<script>nothing.there</script>")
    browser.open(tmp_path / "wrong.html")
    assert len(browser.complaints()) == 1


def test_text_that_looks_alike_is_measured_on_every_background(browser, tmp_path):
    """In a part of another colour, half transparent, and placed freely on another part."""
    (tmp_path / "alike.html").write_text(
        "<!doctype html><html lang='en'><title>t</title><style>div {color: #555; height: 30px}"
        ".dark {background: #333} .pale {opacity: 0.4} .on {position: absolute; top: 38px}</style>"
        "<main><h1>Alike</h1><div class='on'><b>fine</b></div><div>fine</div><div>fine</div>"
        "<div class='dark'><i>on dark</i></div><div class='pale'><s>pale</s></div>"
        "<div class='dark' style='position: absolute; top: 300px; width: 200px'></div>"
        "<div class='on' style='top: 300px'><u>above dark</u></div></main></html>"
    )
    browser.open(tmp_path / "alike.html")
    (said,) = browser.violations("color-contrast")
    assert said == "color-contrast: <i>on dark</i> <s>pale</s> <u>above dark</u>"
    # What has passed on one page is measured again on a page of another colour.
    text = (tmp_path / "alike.html").read_text()
    (tmp_path / "dark.html").write_text(text.replace("<style>", "<style>body {background: #333}"))
    browser.open(tmp_path / "dark.html")
    assert "<div>fine</div>" in browser.violations("color-contrast")[0]


def sort(browser) -> None:
    """Press Enter on the header cell in focus, and wait until the table is sorted."""
    browser.value(
        "window.sorted = new Promise(done => document.addEventListener('sort-end',"
        " () => done(true), {once: true})); 0"
    )
    browser.press("Enter")
    assert browser.value("window.sorted")


def test_tables_are_sorted_by_keyboard(browser):
    before = [float(text) for text in browser.value(COLUMN.format(3, "dataset.sort"))]
    assert before != sorted(before)
    browser.value("document.querySelector('table').parentElement.focus()")
    for _ in range(4):  # data set, method, two rates
        browser.press("Tab")
    focused = "document.activeElement.parentElement"
    assert browser.value(f"{focused}.textContent.trim()") == "50 %"
    for order, reverse in (("ascending", False), ("descending", True)):
        sort(browser)
        after = [float(text) for text in browser.value(COLUMN.format(3, "dataset.sort"))]
        assert after == sorted(before, reverse=reverse)
        assert browser.value(f"{focused}.getAttribute('aria-sort')") == order
    sorted_by = "document.querySelectorAll('table')[0].querySelectorAll('[aria-sort]').length"
    assert browser.value(sorted_by) == 1
    # Every row still names its data set.
    assert set(browser.value(COLUMN.format(0, "textContent"))) == {"Icons"}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_figures_follow_the_theme(browser, theme):
    browser.show_as(theme)
    style = "getComputedStyle(document.querySelector('{}')).{}"
    page = browser.value(style.format("body", "backgroundColor"))
    text = browser.value(style.format("body", "color"))
    background = browser.value(style.format("figure svg path", "fill"))
    lettering = browser.value(style.format("figure svg text", "fill"))
    assert (page, text) == (background, lettering)
    light = sum(map(int, page.strip("rgb()").split(","))) > 3 * 127
    assert light == (theme == "light")


def test_print_is_light_in_every_theme(browser):
    browser.show_as("dark", "print")
    background = "getComputedStyle(document.body).backgroundColor"
    assert browser.value(background) == "rgb(255, 255, 255)"
    assert browser.value("getComputedStyle(document.querySelector('nav')).display") == "none"


@pytest.mark.parametrize("width", [320, 390, 768])
def test_nothing_is_wider_than_a_small_screen(browser, width):
    browser.resize(width, 800, mobile=True)
    browser.value(OPEN_ALL)
    assert browser.value("document.documentElement.scrollWidth") == width


def test_captions_of_tables_fit_a_small_window(browser):
    """Beside its scroll bar, which a phone does not have."""
    browser.resize(500, 800)
    browser.value(OPEN_ALL)
    wide = "part => part.getBoundingClientRect().width > part.closest('.scroll').clientWidth"
    spans = "[...document.querySelectorAll('caption span')]"
    assert browser.value(f"{spans}.length") > 10
    assert browser.value(f"{spans}.filter({wide}).length") == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_no_violation(browser, theme):
    browser.show_as(theme)
    browser.value(OPEN_ALL)
    assert browser.violations() == []
