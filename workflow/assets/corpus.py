"""The icon corpus: which drawings of `@iconify/json` are used, and what they are called.

Pure functions of the package's parsed JSON. `render_corpus.py` reads, renders and writes.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

PERMISSIVE = frozenset(
    "MIT Apache-2.0 BSD-3-Clause ISC CC0-1.0 CC-BY-3.0 CC-BY-4.0 OFL-1.1 Unlicense".split()
)
# Their drawings are trade marks or file types, whose names do not describe what is drawn.
EXCLUDED_CATEGORIES = frozenset({"Logos", "Programming"})
# Brands, alphabets, and animations whose first frame is empty.
EXCLUDED_SETS = frozenset(
    """
    fa-brands fa6-brands devicon-original devicon-line bubbles dinkie-icons svg-spinners line-md
    """.split()
)

# Words for how a thing is drawn, not for what is drawn.
STYLE_WORDS = frozenset(
    """
    outline outlined filled fill line lined linear solid duotone twotone bold bolder light thin
    regular rounded round sharp broken baseline o alt ios md flat color colored mono monochrome
    duo sm xs xl lg small tiny fat stroke glyph black white twoline
    """.split()
)
VARIANTS = 3  # most drawings of one name from one set
_NUMBER = re.compile(r"^\d+(px|x\d+)?$")


@dataclass(frozen=True)
class Drawing:
    """One drawing of an icon set, before it is rendered."""

    icon_set: str
    category: str  # of the set: "UI 24px", "Emoji", ...; empty where it has none
    icon: str  # the set's own name for the drawing
    name: str  # what is drawn, in words
    variant: int  # number among the set's drawings of that name; pre-training sees variant 0
    svg: str
    coloured: bool  # has its own colours; otherwise drawn in `currentColor`
    author: str
    license: str


def is_usable(prefix: str, info: dict) -> bool:
    """Whether a set has a permissive licence, and names that describe what is drawn."""
    return (
        info["license"].get("spdx") in PERMISSIVE
        and info.get("category") not in EXCLUDED_CATEGORIES
        and prefix not in EXCLUDED_SETS
    )


def spoken_name(icon: str, suffixes: tuple[str, ...] = (), prefixes: tuple[str, ...] = ()) -> str:
    """The words for what is drawn: the icon's name without affixes of style, size or variant.

    >>> spoken_name("arrow-left-circle-24-filled", ("24-filled",))
    'arrow left circle'
    >>> spoken_name("outline-home-2")
    'home'
    """
    for prefix in sorted(prefixes, key=len, reverse=True):
        if prefix and icon.startswith(prefix + "-"):
            icon = icon[len(prefix) + 1 :]
            break
    for suffix in sorted(suffixes, key=len, reverse=True):
        if suffix and icon.endswith("-" + suffix):
            icon = icon[: -len(suffix) - 1]
            break
    words = icon.split("-")
    while len(words) > 1 and (words[-1] in STYLE_WORDS or _NUMBER.match(words[-1])):
        words.pop()
    while len(words) > 1 and words[0] in STYLE_WORDS:
        words.pop(0)
    return " ".join(words)


def _stable_rank(*parts: str) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()


def drawings(icon_set: dict) -> Iterator[Drawing]:
    """At most three drawings per spoken name of an icon set (its parsed JSON), in order of names.

    Variants (outline, filled, 16, 24, ...) are ordered by a hash. So if a set draws everything in
    two styles, each style comes first for half of the names.
    """
    prefix, info = icon_set["prefix"], icon_set["info"]
    suffixes, prefixes = (tuple(icon_set.get(k) or ()) for k in ("suffixes", "prefixes"))
    variants: dict[str, list[str]] = {}
    for icon, body in icon_set["icons"].items():
        if not body.get("hidden"):
            variants.setdefault(spoken_name(icon, suffixes, prefixes), []).append(icon)
    for name in sorted(variants):
        # Skin tones repeat an emoji six times, under names that do not describe what is drawn.
        if _NUMBER.match(name) or len(name) < 2 or "skin tone" in name:
            continue
        ordered = sorted(variants[name], key=lambda icon: _stable_rank(prefix, icon))
        for variant, icon in enumerate(ordered[:VARIANTS]):
            yield Drawing(
                icon_set=prefix,
                category=info.get("category", ""),
                icon=icon,
                name=name,
                variant=variant,
                svg=_svg(icon_set, icon),
                coloured="currentColor" not in icon_set["icons"][icon]["body"],
                author=info["author"]["name"],
                license=info["license"]["spdx"],
            )


def _svg(icon_set: dict, icon: str) -> str:
    """A drawing as an SVG document of 64 x 64 pixels; centred if it is not square."""
    body = icon_set["icons"][icon]
    left, top = body.get("left", 0), body.get("top", 0)
    width = body.get("width", icon_set.get("width", 16))
    height = body.get("height", icon_set.get("height", 16))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="64" height="64" '
        f'viewBox="{left} {top} {width} {height}">{body["body"]}</svg>'
    )
