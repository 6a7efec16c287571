"""The kind of error that the user can fix."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class InputError(Exception):
    """Bad input (a file, a config key, a class with too few images), said in one sentence.

    Command-line modules print it without a traceback and exit with status 2. It stays on one line,
    whatever the names in it hold: line breaks, terminal codes, bytes that are no text.
    """

    def __init__(self, sentence: str):
        super().__init__(on_one_line(sentence))


def closed_folder(folder: str | Path) -> InputError:
    """The error for a folder whose mode forbids to look into it, with the cure."""
    return InputError(
        f"{folder}: you may not look into this folder; allow it (chmod u+rx), or ask its owner to"
    )


def on_one_line(text: str) -> str:
    r"""A text whose characters all print: a line break becomes \n, other codes their number."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """A guess at the known word that was meant, in brackets; empty where none is near."""
    by_lower = {name.lower(): name for name in known}
    near = get_close_matches(str(word).lower(), by_lower, n=1)
    return f" (did you mean {by_lower[near[0]]!r}?)" if near else ""


def unknown(word: object, known: Iterable[str], to: str = "") -> str:
    """The sentence about a word that is not among those known `to` something."""
    known = list(known)
    choices = f"choose from {', '.join(known)}" if known else "there are none"
    return f"{word!r} is unknown{to and f' to {to}'}{did_you_mean(word, known)}; {choices}"
