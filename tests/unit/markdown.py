"""Brings Markdown tables into a form that tests can compare."""

import re


def unpadded(text: str) -> str:
    """The text with one blank on each side of a table's bars, and without alignment rows."""
    lines = [
        re.sub(r" *\| *", " | ", line).strip() if line.startswith("|") else line
        for line in text.splitlines()
    ]
    return "\n".join(line for line in lines if not line.startswith("| :"))
