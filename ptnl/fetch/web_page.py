"""Web pages that a server sends in place of a file.

gdown parses Google Drive's page too, but line by line: of a form over several lines it loses the
fields, and it does not tell the title of a page that refuses the file.
"""

from html.parser import HTMLParser

import requests

PAGE_BYTES = 1 << 20  # of a page that are read


def page_of(answer: requests.Response) -> "WebPage | None":
    """The answer as a web page; None where it is something else."""
    if not answer.headers.get("Content-Type", "").lower().startswith("text/html"):
        return None
    page = WebPage()
    page.feed(answer.raw.read(PAGE_BYTES, decode_content=True).decode(errors="replace"))
    return page


class WebPage(HTMLParser):
    """A web page's title, and the form on Google Drive's that leads to the file."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.action = ""
        self.fields: dict[str, str] = {}
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._in_title = tag == "title"
        if tag == "form" and values.get("id") == "download-form":
            self.action = values.get("action") or ""
        if tag == "input" and values.get("type") == "hidden" and (name := values.get("name")):
            self.fields[name] = values.get("value") or ""

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title, self._in_title = " ".join(data.split()), False
