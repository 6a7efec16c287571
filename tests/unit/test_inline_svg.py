"""Matplotlib's SVG is put into a page, and takes the colours of the page's theme."""

import re
from io import BytesIO
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from ptnl.analysis.figures.style import GREY, STYLE, caption, save
from ptnl.analysis.inline_svg import CONTRAST, DARK_PAGE, contrast, inline_svg, on_dark, palette


@pytest.fixture(scope="module")
def svg() -> bytes:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6, 3), layout="constrained")
        lines, matrix = figure.subplots(1, 2)
        lines.plot([0, 1], [0, 1.23456], "o-", color="#003a5d", label="apple < bell")
        matrix.imshow(np.eye(3), interpolation="nearest")
        matrix.text(1, 1, "1.00", color="white")
        caption(figure, "Said in grey.")
    buffer = BytesIO()
    save(figure, buffer, "svg")
    return buffer.getvalue()


def test_the_figure_follows_the_theme(svg):
    inline = inline_svg(svg, "one", "A figure")
    root = ElementTree.fromstring(inline)
    assert root.tag == "svg"
    assert (root.get("role"), root.get("aria-label")) == ("img", "A figure")
    texts = {"".join(text.itertext()): text for text in root.iter("text")}
    assert "var(--muted)" in texts["Said in grey."].get("style")
    assert "#ffffff" in texts["1.00"].get("style")  # the colour of its cell does not change either
    outside = re.sub(r"data:image/png;base64,[^\"]+", "", inline)
    assert set(re.findall(r"#[0-9a-f]{6}\b", outside)) == {"#ffffff"}
    assert "stroke: currentColor" in inline
    assert GREY not in inline
    assert "http" not in outside  # no namespace or schema is left


def test_ids_of_two_figures_do_not_clash(svg):
    names = []
    for name in ("one", "two"):
        root = ElementTree.fromstring(inline_svg(svg, name, ""))
        own = {element.get("id") for element in root.iter() if element.get("id")}
        text = ElementTree.tostring(root, encoding="unicode")
        used = re.findall(r"(?:url\(|href=\")#([\w.-]+)", text)
        assert len(used) > 3
        assert set(used) <= own
        names.append(own)
    assert not names[0] & names[1]


def test_paths_are_rounded_to_a_hundredth_of_a_point(svg):
    inline = inline_svg(svg, "one", "")
    before, after = (ElementTree.fromstring(text).iter() for text in (svg, inline))
    paths = [
        [re.findall(r"-?[\d.]+", e.get("d")) for e in elements if e.tag.endswith("path")]
        for elements in (before, after)
    ]
    for old, new in zip(*paths, strict=True):
        assert np.abs(np.array(old, float) - np.array(new, float)).max() < 0.006
    assert max(map(len, re.findall(r"\.(\d+)", " ".join(re.findall(r" d=\"[^\"]*", inline))))) == 2


@pytest.mark.parametrize("colour", ["#003a5d", "#0072b2", "#471365", "#009e73", "#ffff00"])
def test_colours_have_enough_contrast_on_a_dark_page(colour):
    assert contrast(on_dark(colour), DARK_PAGE) >= CONTRAST
    if contrast(colour, DARK_PAGE) >= CONTRAST:
        assert on_dark(colour) == colour


def test_contrast_is_defined_as_in_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


def test_a_palette_names_each_colour_once(svg):
    inline = inline_svg(svg, "one", "")
    colours = palette([inline, inline])
    assert colours == {"--x003a5d": ("#003a5d", on_dark("#003a5d"))}
