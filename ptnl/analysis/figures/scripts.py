"""Class names of any script in figures: in a font that has it, or as the label's number."""

from collections.abc import Iterable, Sequence
from functools import cache

from matplotlib.font_manager import fontManager, get_font

FAMILY = "DejaVu Sans"  # matplotlib's own, which is always there
LAST_RESORT = "Last Resort"  # has a box for every character and a picture of none
LONGEST = 40  # characters of a label


@cache
def _fonts() -> list[tuple[str, str]]:
    """Family and file of every upright font of the machine: matplotlib's own, then by name."""
    plain = {
        (font.name, font.fname)
        for font in fontManager.ttflist
        if font.style == "normal"
        and str(font.weight) in ("400", "normal")
        and not font.name.startswith(LAST_RESORT)
    }
    return sorted(plain, key=lambda font: (font[0] != FAMILY, font))


@cache
def _characters(file: str) -> frozenset[str]:
    """What a font has a picture for; nothing if the file is damaged."""
    try:
        return frozenset(map(chr, get_font(file).get_charmap()))
    except (OSError, RuntimeError, ValueError):
        return frozenset()


def families_for(texts: Iterable[str]) -> list[str]:
    """Font families that together have every character of some texts that any font here has."""
    needed = {character for text in texts for character in text if not character.isspace()}
    families = []
    for family, file in _fonts():
        has = _characters(file) & needed
        if has or family == FAMILY:
            families.append(family)
            needed -= has
        if not needed:
            break
    return list(dict.fromkeys(families))


def undrawable(text: str) -> bool:
    """Whether no font of this machine has some character of a text."""
    return not all(
        any(character in _characters(file) for _, file in _fonts())
        for character in text
        if not character.isspace()
    )


def labels(names: Sequence[str]) -> list[str]:
    """Names of classes, in order of label, on one line each; a label where no font has the name."""
    shown = []
    for number, name in enumerate(names):
        one_line = " ".join(name.split())
        if undrawable(one_line):
            shown.append(str(number))
        elif len(one_line) > LONGEST:
            shown.append(f"{one_line[: LONGEST - 1]}…")
        else:
            shown.append(one_line)
    return shown


def numbers_note(names: Iterable[str]) -> str:
    """What a caption says where a figure shows labels in the place of names; empty elsewhere."""
    if any(map(undrawable, names)):
        return "numbers are labels of classes whose names no font here has; "
    return ""
