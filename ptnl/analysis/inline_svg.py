"""Matplotlib's SVG as part of a page: in the page's colours, with ids that no other figure has.

As an image, a figure would keep its white ground on a dark page, and its text could be neither
searched nor read aloud. Pure functions of strings.
"""

import colorsys
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Collection, Iterable

SVG, XLINK = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}"
# Attribute as the figures' style writes it -> attribute that follows the page's theme.
THEMED = {
    "#000000": "currentColor",
    "#555555": "var(--muted)",
    "#e3e3e3": "var(--line)",
    "#ffffff": "var(--page)",
}
COLOUR = re.compile(r"#[0-9a-fA-F]{6}\b")
NUMBER = re.compile(r"-?\d+\.\d{3,}")
ROUNDED = ("d", "x", "y", "width", "height", "transform")
REFERENCE = re.compile(r"""(?:url\(|href=["'])#([^"')]+)""")
FONT = re.compile(r"font-family: [^;]*;? ?")  # the page's own will do
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
    used = set(REFERENCE.findall(svg.decode()))
    _remove_unused(root, used)
    for element in root.iter():
        element.tag = element.tag.removeprefix(SVG)
        element.attrib = dict(_attribute(element.tag, *item, name) for item in element.items())
        element.tail = None
        if element.tag != "text":
            element.text = None
    width = float(root.attrib["width"].removesuffix("pt")) * 4 / 3
    shown = f"width: 100%; max-width: {width:.0f}px; min-width: {min(width, SMALLEST):.0f}px"
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        **{"role": "img", "aria-label": title, "fill": "currentColor", "style": shown},
    }
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)


def _remove_unused(parent: ElementTree.Element, used: Collection[str]) -> None:
    """Remove what a page has no use for: metadata, styles, unused ids, empty groups."""
    for child in list(parent):
        _remove_unused(child, used)
        if child.get("id") not in used:
            child.attrib.pop("id", None)
        empty = child.tag in (f"{SVG}g", f"{SVG}defs") and not len(child) and not child.attrib
        if empty or child.tag in (f"{SVG}metadata", f"{SVG}style"):
            parent.remove(child)


def _attribute(tag: str, key: str, value: str, name: str) -> tuple[str, str]:
    """An attribute of an element as the page has it."""
    key = key.removeprefix(XLINK)
    if key == "id":
        value = f"{name}-{value}"
    elif key == "href" and value.startswith("#"):
        value = f"#{name}-{value[1:]}"
    elif key == "clip-path":
        value = value.replace("#", f"#{name}-")
    elif key == "style":
        value = COLOUR.sub(lambda found: _themed(found.group().lower(), tag), FONT.sub("", value))
    elif key in ROUNDED:
        value = " ".join(NUMBER.sub(lambda found: f"{float(found.group()):.2f}", value).split())
    return key, value


def _themed(colour: str, tag: str) -> str:
    """A colour of a figure, as it depends on the theme."""
    if colour == "#ffffff" and tag == "text":
        return colour  # in a cell of a matrix, whose colour is the same in either theme
    return THEMED.get(colour, f"var(--x{colour[1:]})")


def palette(figures: Iterable[str]) -> dict[str, tuple[str, str]]:
    """The colours that inline figures name: name -> as drawn, and on a dark page."""
    names = sorted(
        {name for figure in figures for name in re.findall(r"var\(--x(\w{6})\)", figure)}
    )
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
