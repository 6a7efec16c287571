"""Names of classes: their order, and whether CLIP can tell them apart."""

import re
from collections.abc import Iterable, Sequence

from ptnl.errors import InputError

WNID = re.compile(r"n\d{8}")  # ImageNet's


def is_number(name: str) -> bool:
    """Whether a name is a whole number in plain digits."""
    return name.isascii() and name.isdigit()


def ordered(names: Iterable[str]) -> list[str]:
    """Names in the order of their labels: by value if all are numbers, otherwise as text."""
    different = set(names)
    if all(map(is_number, different)):
        return sorted(different, key=lambda name: (int(name), name))
    return sorted(different)


def wordless(names: Iterable[str]) -> list[str]:
    """Names that give a prompt no words: numbers, and wnids."""
    return [name for name in names if is_number(name) or WNID.fullmatch(name)]


def check_names(names: Sequence[str]) -> None:
    """Refuse class names that are empty for CLIP's tokenizer, or the same for two classes.

    The tokenizer ignores case, blanks, underscores and the Unicode form of letters.
    """
    # Imported here because it imports torch, which reading a folder does not need.
    from ptnl.text.prompts import spoken
    from ptnl.text.tokenizer import clip_tokenizer

    tokenizer = clip_tokenizer()
    seen: dict[tuple[int, ...], str] = {}
    for name in names:
        tokens = tuple(tokenizer.encode(spoken(name)))
        if not tokens:
            raise InputError(f"class {name!r}: nothing is left of its name in a prompt; rename it")
        if tokens in seen:
            raise InputError(
                f"classes {seen[tokens]!r} and {name!r} have the same name in a prompt; rename or "
                "join them"
            )
        seen[tokens] = name
