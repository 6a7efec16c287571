"""List every link that leaves the pages, because a build checks only those that stay inside.

`make check-links` asks the servers; a build must not, since it may have no network.
"""

from collections import defaultdict
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx

LIST = "external-links.txt"


def note_links(app: Sphinx, doctree: nodes.document) -> None:
    """Keep the URLs of a page that has been read."""
    uris = {link.get("refuri", "") for link in doctree.findall(nodes.reference)}
    outside = sorted(uri for uri in uris if uri.startswith(("http://", "https://")))
    app.env.metadata[app.env.docname]["external_links"] = outside


def write_list(app: Sphinx, error: Exception | None) -> None:
    """Write a line per URL, followed by the pages that link to it."""
    if error or app.builder.name != "html":
        return
    pages = defaultdict(set)
    for page, said in app.env.metadata.items():
        for uri in said.get("external_links", ()):
            pages[uri].add(page)
    lines = [f"{uri}  ({', '.join(sorted(pages[uri]))})\n" for uri in sorted(pages)]
    Path(app.outdir, LIST).write_text("".join(lines))


def setup(app: Sphinx) -> dict[str, bool]:
    """Note the links of every page, and write the list once the pages are there."""
    app.connect("doctree-read", note_links)
    app.connect("build-finished", write_list)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
