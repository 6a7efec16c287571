"""Write the page "What is read, and what is refused" from the table of inputs.

python -m tests.inputs.page
"""

from pathlib import Path

from tests.inputs.rows import Row
from tests.inputs.table import KINDS

PAGE = Path(__file__).parents[2] / "workflow/docs/inputs.md"
INTRODUCTION = """\
# What is read, and what is refused

Data sets, images, archives and weights come from strangers. ptnl reads each of them right, or
refuses it in one sentence that names the file and what to do, before anything is computed. It
changes nothing outside its own folders. What it skips or converts is listed in the log of the step
that did so.

Every row of these tables is a test (`tests/inputs`), and `python -m tests.inputs.page` writes the
page from the tests.
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
    """A text as a cell of a Markdown table, in which a bar would end the cell."""
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
