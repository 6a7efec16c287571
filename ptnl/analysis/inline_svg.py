"""Matplotlib's SVG made fit to stand in a page: it follows the page's theme, and its names are its own.

As an image, a figure would keep its white ground on a dark page, and its text could be neither
searched nor read aloud. Pure functions of strings.
"""

import colorsys
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
# What the style of figures says -> what the page's theme says.
THEMED = {
    "#000000": "currentColor",
    "#555555": "var(--muted)",
    "#e3e3e3": "var(--line)",
    "#ffffff": "var(--page)",
}
COLOUR = re.compile(r"#[0-9a-f]{6}\b")
NUMBER = re.compile(r"-?\d+\.\d{3,}")
REFERENCE = re.compile(r"url\(#([^)]+)\)")
FONT = re.compile(r"font-family: [^;]*'DejaVu Sans'[^;]*;? ?")
SMALLEST = 620  # pixels of width, below which a wide figure is scrolled and not shrunk
DARK_PAGE = "#15171a"  # as in the page's template
CONTRAST = 4.5  # of text with its ground, as WCAG 2 asks for


def inline_svg(svg: bytes, name: str, title: str) -> str:
    """A figure as an element of a page.

    Parameters
    ----------
    svg : as Matplotlib writes it, with text as text
    name : prefix of its ids; unlike that of all other figures of the page
    title : what it is called where it is read aloud
    """
    root = ElementTree.fromstring(svg)
    for parent in list(root.iter()):
        for child in [c for c in parent if c.tag in (f"{SVG}metadata", f"{SVG}style")]:
            parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(SVG)
        element.attrib = dict(_attribute(element.tag, *item, name) for item in element.items())
    width = float(root.attrib.pop("width", "0").removesuffix("pt")) * 4 / 3
    root.attrib.pop("height", None)
    root.attrib.pop("version", None)
    shown = f"width: 100%; max-width: {width:.0f}px; min-width: {min(width, SMALLEST):.0f}px"
    root.attrib |= {"role": "img", "aria-label": title, "fill": "currentColor", "style": shown}
    for element in root.iter():
        if element.tag != "text":
            element.text = element.text and element.text.strip()
        element.tail = element.tail and element.tail.strip()
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def _attribute(tag: str, key: str, value: str, name: str) -> tuple[str, str]:
    """An attribute of an element as the page has it."""
    key = key.removeprefix(XLINK)
    if key == "id":
        return key, f"{name}-{value}"
    if key == "href" and value.startswith("#"):
        return key, f"#{name}-{value[1:]}"
    if key == "style":
        value = COLOUR.sub(lambda found: _themed(found.group(), tag), FONT.sub("", value.lower()))
    if key == "d":
        value = " ".join(NUMBER.sub(lambda found: f"{float(found.group()):.2f}", value).split())
    if key in ("x", "y", "width", "height") and NUMBER.fullmatch(value):
        value = f"{float(value):.2f}"
    return key, REFERENCE.sub(rf"url(#{name}-\1)", value)


def _themed(colour: str, tag: str) -> str:
    """A colour of a figure, as it depends on the theme."""
    if colour == "#ffffff" and tag == "text":
        return colour  # in a cell of a matrix, whose colour is the same in either theme
    return THEMED.get(colour, f"var(--x{colour[1:]})")


def palette(figures: Iterable[str]) -> dict[str, tuple[str, str]]:
    """The colours that inline figures name: name -> as drawn, and on a dark page."""
    names = sorted({name for figure in figures for name in re.findall(r"var\(--x(\w{6})\)", figure)})
    return {f"--x{name}": (f"#{name}", on_dark(f"#{name}")) for name in names}


def on_dark(colour: str) -> str:
    """The colour as it can be read on a dark page.

    One too dark for it becomes as light as it was dark, and lighter still where need be: so shades
    of one hue stay apart.
    """
    hue, lightness, saturation = colorsys.rgb_to_hls(*_rgb(colour))
    lighter = max(lightness, 1 - lightness)
    while contrast(colour, DARK_PAGE) < CONTRAST:
        lightness, lighter = lighter, lighter + 0.02
        red, green, blue = colorsys.hls_to_rgb(hue, min(lightness, 1), saturation)
        colour = f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"
    return colour


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours as WCAG 2 defines it: 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue


def _luminance(colour: str) -> float:
    """Relative luminance of an sRGB colour."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _rgb(colour)]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
