"""The user's classes: their names, and the words for them in prompts."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ptnl.errors import InputError
from ptnl.text.prompts import spoken

DEFAULT_TEMPLATE = "a photo of a {}."


@dataclass(frozen=True)
class Classes:
    """C classes in order: their names, and the words for them in prompts ("crane, a bird")."""

    names: list[str]
    words: list[str]

    @classmethod
    def of(cls, names: list[str]) -> "Classes":
        """Classes whose names are used in prompts as they are."""
        return cls(list(names), [spoken(name) for name in names])

    def texts(self, template: str) -> list[str]:
        """The prompts of all classes."""
        return [template.format(words) for words in self.words]


def check_template(template: str) -> str:
    """Check that a template holds {} exactly once and no other brace; returns it."""
    if template.count("{}") != 1 or set("{}") & set(template.replace("{}", "")):
        raise InputError(
            f"--template {template!r} does not hold {{}}, the place of the class name, exactly once"
        )
    return template


def read_classes(path: Path) -> Classes:
    """Read classes from a text file, one name per line, or a CSV with columns class and prompt.

    Raises `InputError` if a name is empty or repeated, or if there are fewer than two.
    """
    if path.suffix.lower() == ".csv":
        table = read_table(path)
        if "class" not in table:
            raise InputError(f"{path}: needs the column class, perhaps prompt")
        names = [name.strip() for name in table["class"]]
        given = table.get("prompt", [""] * len(names))
        words = [text.strip() or spoken(name) for text, name in zip(given, names, strict=True)]
    else:
        check_is_there(path)
        try:
            names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path}: not readable as text ({error})") from error
        while names and not names[-1]:
            names.pop()
        words = [spoken(name) for name in names]
    return Classes(checked_names(names, str(path)), words)


def checked_names(names: list[str], where: str) -> list[str]:
    """Check that names are not empty, not repeated, and at least two; returns them."""
    for row, name in enumerate(names, start=1):
        if not name:
            raise InputError(f"{where}: the class name in row {row} is empty")
    repeated = pd.Series(names, dtype=object).duplicated()
    if repeated.any():
        raise InputError(f"{where}: class {names[repeated.argmax()]!r} is named twice")
    if len(names) < 2:
        raise InputError(f"{where}: needs two classes or more, holds {len(names)}")
    return names


def check_is_there(path: Path) -> None:
    """Raise an `InputError` if there is no such file."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file with all cells as text; an empty cell is an empty string."""
    check_is_there(path)
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path).astype(object).fillna("").astype(str)
        # So that names such as 007, NA or None stay as they are.
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as CSV or Parquet ({error})") from error
