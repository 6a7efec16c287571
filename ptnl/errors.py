"""The one kind of error that is the user's to mend."""


class InputError(Exception):
    """Bad input (a file, a config key, a class with too few images), said in one sentence.

    Command-line modules print it without a traceback and exit with status 2. It stays on one line,
    whatever the names in it hold: line breaks, terminal codes, bytes that are no text.
    """

    def __init__(self, sentence: str):
        super().__init__(on_one_line(sentence))


def on_one_line(text: str) -> str:
    r"""A text whose characters all print: a line break becomes \n, other codes their number."""
    return "".join(
        character if character.isprintable() else ascii(character)[1:-1] for character in text
    )
