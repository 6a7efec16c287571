"""Synonyms and tags of drawings, from icon sets and word lists. Pure functions.

They belong to the spoken name of a drawing: a synonym that one set gives for "bell" is used for the
bells of all sets.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from corpus import spoken_name

WORDS = re.compile(r"[a-z]+( [a-z]+){0,2}")


def is_plain(text: str) -> bool:
    """Whether a text is one to three words of letters, unlike `wmo4680` and `<-`."""
    return len(text) > 1 and WORDS.fullmatch(text) is not None


def aliases(icon_set: dict) -> Iterator[tuple[str, str]]:
    """Pairs (name, other name) of an icon set (its parsed JSON), from its own list of aliases.

    An alias that turns or mirrors its drawing names another thing, so it is left out. So is an
    alias that only adds to the name ("bx basket" for a basket).
    """
    suffixes, prefixes = (tuple(icon_set.get(k) or ()) for k in ("suffixes", "prefixes"))
    for alias, body in (icon_set.get("aliases") or {}).items():
        name, other = (spoken_name(n, suffixes, prefixes) for n in (body["parent"], alias))
        if set(body) == {"parent"} and name not in other and is_plain(other):
            yield name, other


def categories(icon_set: dict) -> Iterator[tuple[str, str]]:
    """Pairs (name, tag) of an icon set: the categories that it sorts its drawings into."""
    suffixes, prefixes = (tuple(icon_set.get(k) or ()) for k in ("suffixes", "prefixes"))
    for category, icons in (icon_set.get("categories") or {}).items():
        spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", category)  # InterfaceEssential
        for tag in re.split(r"[^a-z ]+", spaced.lower()):
            if is_plain(tag.strip()):
                for icon in icons:
                    yield spoken_name(icon, suffixes, prefixes), tag.strip()


def icon_tags(tags: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Pairs (name, tag) of lucide's `tags.json`: icon -> tags."""
    for icon, words in tags.items():
        yield from ((spoken_name(icon), word.lower()) for word in words if is_plain(word.lower()))


def emoji_keywords(keywords: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """Pairs (name, tag) of emojilib: emoji -> its name and keywords."""
    for name, *words in keywords.values():
        for word in words:
            tag = word.lower().replace("_", " ")
            if is_plain(tag):
                yield name.replace("_", " "), tag
