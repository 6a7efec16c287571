"""Markdown tables as tests compare them."""

import re


def unpadded(text: str) -> str:
    """The text with one blank beside each bar of a table, and no marks of alignment."""
    lines = [
        re.sub(r" *\| *", " | ", line).strip() if line.startswith("|") else line
        for line in text.splitlines()
    ]
    return "\n".join(line for line in lines if not line.startswith("| :"))
