"""Show the files of the repository that the pages link to, so that the built pages stand alone.

In the sources, `[registry](../../ptnl/methods/__init__.py)` is a link that works in any viewer of
the repository. In the built pages it leads to a page with that file: Markdown set as a page,
anything else with its syntax highlighted. A link to a folder becomes plain text.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from docutils import nodes
from markdown_it import MarkdownIt
from sphinx.addnodes import download_reference
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[3]
LANGUAGES = {".py": "python", ".smk": "python", ".yaml": "yaml", ".json": "json"}
LINK = re.compile(r"\[([^\]]+)\]\(((?:\.\./)+[^)#\s]*)\)")


def adapt_links(app: Sphinx, page: str, source: list[str]) -> None:
    """Keep the text alone of links to folders; call Markdown files files, and not other pages."""

    def adapted(link: re.Match) -> str:
        text, target = link.groups()
        if Path(app.srcdir, page).parent.joinpath(target).is_dir():
            return text
        return f"{{download}}`{text} <{target}>`" if target.endswith(".md") else link[0]

    source[0] = LINK.sub(adapted, source[0])


def link_to_pages(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Let links to files of the repository lead to the pages that `file_pages` makes."""
    shown = app.env.__dict__.setdefault("repository_files", set())
    for link in list(doctree.findall(download_reference)):
        file = Path(app.srcdir, page).parent.joinpath(link["reftarget"]).resolve()
        if not file.is_relative_to(ROOT) or file.is_relative_to(app.srcdir):
            continue
        name = file.relative_to(ROOT).as_posix()
        shown.add(name)
        uri = app.builder.get_relative_uri(page, f"files/{name}")
        link.replace_self(nodes.reference("", "", *link.children, internal=True, refuri=uri))


def file_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, str], str]]:
    """Make a page of every file that a page links to."""
    for name in sorted(app.env.__dict__.get("repository_files", ())):
        file = ROOT / name
        yield f"files/{name}", {"title": name, "body": body(app, file, name)}, "page.html"


def body(app: Sphinx, file: Path, name: str) -> str:
    """The HTML of a file."""
    if file.suffix == ".md":
        return MarkdownIt("commonmark").enable("table").render(file.read_text())
    language = LANGUAGES.get(file.suffix, "text")
    code = app.builder.highlighter.highlight_block(file.read_text(), language, linenos=False)
    return f"<h1>{name}</h1>{code}"


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the three steps."""
    app.connect("source-read", adapt_links)
    app.connect("doctree-resolved", link_to_pages)
    app.connect("html-collect-pages", file_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": False}
