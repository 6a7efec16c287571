"""The code blocks of the documentation, and how each of them is tested."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

DOCS = Path(__file__).parents[1] / "workflow/docs"
NOTE = re.compile(r"<!-- (tested by|dry run|not run): (.+?) -->", re.S)
# What the machine that runs the tests may lack. A block that is not run needs one of these.
LACKS = (
    "a container engine",
    "a finished study",
    "Kubernetes",
    "HTCondor",
    "LSF",
    "network",
    "PBS",
    "processor time",
    "SGE",
    "SLURM",
)


@dataclass(frozen=True)
class Block:
    """A code block of a documentation page."""

    page: str  # file name
    line: int
    language: str  # empty where a block is indented, or its fence names none
    code: str
    note: str = ""  # "tested by", "dry run" or "not run"; without a note, the block is executed
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page in order, without Sphinx directives."""
    tokens = MarkdownIt().parse(page.read_text())
    whole_page = NOTE.search(tokens[0].content) if tokens[0].type == "html_block" else None
    found = []
    for at, token in enumerate(tokens):
        if token.type not in ("fence", "code_block") or token.info.startswith("{"):
            continue
        before = tokens[at - 1] if at else token
        note = NOTE.search(before.content) if before.type == "html_block" else None
        note = note or whole_page
        kind, reason = note.groups() if note else ("", "")
        line = token.map[0] + 1 if token.map else 0
        found.append(Block(page.name, line, token.info.strip(), token.content, kind, reason))
    return found


def all_blocks() -> list[Block]:
    """The blocks of all pages."""
    return [block for page in sorted(DOCS.glob("*.md")) for block in blocks_of(page)]


def first_line(block: Block) -> str:
    """The first line of a block, which may name the file that it belongs to."""
    return block.code.split("\n", 1)[0].removeprefix("#").strip()
