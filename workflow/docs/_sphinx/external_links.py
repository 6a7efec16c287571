"""List every link that leaves the pages, because a build checks only those that stay inside.

`make check-links` asks the servers; a build must not, since it may have no network.
"""

from collections import defaultdict
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

LIST = "external-links.txt"


def write_list(app: Sphinx, error: Exception | None) -> None:
    """Write a line per URL, followed by the pages that link to it."""
    if error or app.builder.name != "html":
        return
    pages = defaultdict(set)
    for page in app.env.found_docs:
        for link in app.env.get_doctree(page).findall(nodes.reference):
            uri = link.get("refuri", "")
            if uri.startswith(("http://", "https://")):
                pages[uri].add(page)
    lines = [f"{uri}  ({', '.join(sorted(pages[uri]))})\n" for uri in sorted(pages)]
    Path(app.outdir, LIST).write_text("".join(lines))


def setup(app: Sphinx) -> dict[str, bool]:
    """Write the list once the pages are there."""
    app.connect("build-finished", write_list)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
