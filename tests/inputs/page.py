"""The page "What is read, and what is refused", made from the table of inputs.

python -m tests.inputs.page
"""

from pathlib import Path

from tests.inputs.rows import Row
from tests.inputs.table import KINDS

PAGE = Path(__file__).parents[2] / "workflow/docs/inputs.md"
INTRODUCTION = """\
# What is read, and what is refused

Data sets, images, archives and weights come from strangers. Each is read right, or refused in one
sentence that names the file and what to do, before anything is computed; nothing outside ptnl's own
folders is changed. What is passed over or converted stands in the log of the step that did it.

This page is made from the table that the tests run (`tests/inputs`, `python -m tests.inputs.page`):
every row is made, read and checked.
"""
TITLES = {
    "folders": "Folders of your own images",
    "images": "Image files",
    "tables": "Tables of your own images",
    "archives": "Archives",
    "downloads": "Downloads",
    "checkpoints": "Weights",
}


def page() -> str:
    """The page, in Markdown."""
    return "\n".join([INTRODUCTION, *(_section(kind, rows) for kind, rows in KINDS.items())])


def _section(kind: str, rows: list[Row]) -> str:
    is_read = [f"| {_cell(row.what)} | {_cell(row.happens)} |" for row in rows if row.is_read]
    is_refused = [
        f"| {_cell(row.what)} | {_cell(row.happens)} |" for row in rows if not row.is_read
    ]
    return "\n".join(
        [
            f"## {TITLES[kind]}",
            "",
            "| read | how |",
            "|---|---|",
            *is_read,
            "",
            "| refused | with a sentence that says |",
            "|---|---|",
            *is_refused,
            "",
        ]
    )


def _cell(text: str) -> str:
    """A text as one cell: a bar would end it."""
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
