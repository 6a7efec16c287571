"""Markdown as HTML whose tables have captions and scopes, and are sorted by their heads. Pure."""

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
RIGHT = "text-align:right"
NUMBER = re.compile(r"^[+−-]?[\d,]*\.?\d+(e[+-]?\d+)?")
TIME = re.compile(r"^(\d+):(\d\d):(\d\d)$")


def html(markdown: str, caption: str = "") -> Markup:
    """Markdown as HTML.

    A paragraph right before a table is its caption. Each head of a column is a button by which
    `sortable-tablesort` sorts the table. The cells left of a row's numbers are its heads; where the
    first is empty, it repeats the one above, from which sorting may part it.

    caption : of a table that has no paragraph before it
    """
    return Markup(MARKDOWN.renderer.render(_tokens(markdown, caption), MARKDOWN.options, {}))


def _tokens(markdown: str, default: str) -> list[Token]:
    tokens = MARKDOWN.parse(markdown)
    done: list[Token] = []
    while tokens:
        if tokens[0].type == "table_open":
            end = [token.type for token in tokens].index("table_close") + 1
            kinds = [token.type for token in done[-3:]]
            said = [Token("text", "", 0, content=default)]
            if kinds == ["paragraph_open", "inline", "paragraph_close"]:
                said = [done[-2]]
                del done[-3:]
            done += _table(tokens[:end], said if said[0].content else [])
            del tokens[:end]
        else:
            done.append(tokens.pop(0))
    return done


def _table(tokens: Sequence[Token], caption: Sequence[Token]) -> list[Token]:
    """The tokens of a table that scrolls where it is wider than the page."""
    text = re.sub(r"[*`]", "", caption[0].content) if caption else "Table"
    opened = Token("scroll_open", "div", 1, attrs={"class": "scroll", "tabindex": "0"})
    opened.attrs |= {"role": "group", "aria-label": text.partition(":")[0]}
    tokens[0].attrs["class"] = "sortable asc n-last"
    # The span stays in view while a wide table is scrolled below it.
    said = [
        Token("caption_open", "caption", 1),
        Token("span_open", "span", 1),
        *caption,
        Token("span_close", "span", -1),
        Token("caption_close", "caption", -1),
    ]
    cells = _cells(tokens[1:])
    return [opened, tokens[0], *(said if caption else []), *cells, Token("scroll_close", "div", -1)]


def _cells(tokens: Sequence[Token]) -> Iterator[Token]:
    heads = _columns_of_heads(tokens)
    above, column, tag = tokens[0], 0, "td"
    for place, token in enumerate(tokens):
        if token.type == "tr_open":
            column = 0
        elif token.type == "th_open":
            token.attrs = {"scope": "col", **_side(token)}
            yield from (token, Token("html_inline", "", 0, content='<button type="button">'))
            continue
        elif token.type == "th_close":
            yield Token("html_inline", "", 0, content="</button>")
        elif token.type == "td_open":
            text, side = tokens[place + 1], _side(token)
            token.attrs = side | (_key(text.content) if side else {})
            if column == 0 and not text.content:
                text.content, text.children = above.content, above.children
                token.attrs = {"class": "again"}
            if column < heads and text.content:
                token.tag = "th"
                token.attrs["scope"] = "row"
            above = text if column == 0 else above
            tag = token.tag
        elif token.type == "td_close":
            token.tag = tag
            column += 1
        yield token


def _columns_of_heads(tokens: Sequence[Token]) -> int:
    """How many columns name a row: those left of the first numbers, or the first one."""
    row = [token for token in tokens if token.type == "th_open"]
    numbers = [column for column, token in enumerate(row) if _side(token)]
    return max(numbers[0], 1) if numbers else 1


def _side(token: Token) -> dict[str, str | int | float]:
    return {"class": "n"} if token.attrs.get("style") == RIGHT else {}


def _key(text: str) -> dict[str, str | int | float]:
    """The value that sorts a cell of numbers, where its text does not begin with that value."""
    plain = text.replace("*", "")
    if time := TIME.match(plain):
        hours, minutes, seconds = map(int, time.groups())
        return {"data-sort": str(3600 * hours + 60 * minutes + seconds)}
    number = NUMBER.match(plain)
    return {"data-sort": number.group().replace(",", "").replace("−", "-") if number else ""}
