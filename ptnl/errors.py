"""The one kind of error that is the user's to mend."""


class InputError(Exception):
    """Bad input (a file, a config key, a class with too few images), said in one sentence.

    Command-line modules print it without a traceback and exit with status 2.
    """
