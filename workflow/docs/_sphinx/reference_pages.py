"""Fill in the reference pages from what they describe: schema, parsers, columns.

A page says where with a line `<!-- generated: NAME -->`, NAME being a key of `GENERATORS`.
"""

import argparse
import ast
import io
import json
import os
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sphinx.application import Sphinx

from ptnl.cli.main import OWN, TOOLS, commands
from ptnl.study.config import Rules

ROOT = Path(__file__).parents[3]
COLUMNS = "ptnl/schemas.py"
MARK = re.compile(r"^<!-- generated: (\w+) -->$", re.M)

Lines = Iterator[str]


def cell(text: str) -> str:
    """A text as a cell of a Markdown table."""
    return prose(text).replace("|", r"\|")


def prose(text: str) -> str:
    """A text without the characters that Markdown would take for marks, but for backticks."""
    return re.sub(r"([<*$])(?=(?:[^`]*`[^`]*`)*[^`]*$)", r"\\\1", " ".join(text.split()))


def table(heads: list[str], rows: list[list[str]]) -> Lines:
    """A Markdown table."""
    yield "| " + " | ".join(heads) + " |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
    yield ""


# Configuration


def resolved(node: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """A node of the schema with what it refers to filled in; what it says itself wins."""
    if "$ref" not in node:
        return dict(node)
    referred = schema["$defs"][node["$ref"].removeprefix("#/$defs/")]
    return {**resolved(referred, schema), **{k: v for k, v in node.items() if k != "$ref"}}


def allowed(node: Mapping[str, Any]) -> str:
    """The values that a key may have, in words."""
    if "enum" in node:
        return ", ".join(f"`{value}`" for value in node["enum"])
    if "const" in node:
        return f"`{node['const']}`"
    kinds = node.get("type", "object")
    words = " or ".join([kinds] if isinstance(kinds, str) else kinds)
    if kinds == "array":
        words = f"list of {resolved(node['items'], {}).get('type', 'string')}s"
    limits = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    said = [f"{sign} {node[key]}" for key, sign in limits.items() if key in node]
    if node.get("pattern"):
        said.append(f"as `{node['pattern']}`")
    return ", ".join([words, *said])


def default(node: Mapping[str, Any]) -> str:
    """The default of a key; a dash where the protocol decides, or nothing does."""
    if "default" not in node or node["default"] == {}:
        return "–"
    value = json.dumps(node["default"], ensure_ascii=False)
    return f"`{value}`"


def keys_table(properties: Mapping[str, Any], schema: Mapping[str, Any]) -> Lines:
    """A table of the keys of an object."""
    rows = []
    for name, said in properties.items():
        node = resolved(said, schema)
        rows.append(
            [f"`{name}`", cell(allowed(node)), default(node), cell(node.get("description", ""))]
        )
    yield from table(["key", "values", "default", "what it says"], rows)


def configuration() -> Lines:
    """Every key of a study's config."""
    schema = Rules.shipped().schema
    for name, said in schema["properties"].items():
        node = resolved(said, schema)
        yield f"## `{name}`"
        yield ""
        yield prose(node.get("description", ""))
        yield ""
        yield f"*Values:* {allowed(node)}. *Default:* {default(node)}."
        yield ""
        entry = node.get("additionalProperties")
        if isinstance(entry, dict) and "properties" in entry:
            yield "Keys of each entry:"
            yield ""
            yield from keys_table(entry["properties"], schema)
        for child, child_said in node.get("properties", {}).items():
            yield f"### `{name}.{child}`"
            yield ""
            inner = resolved(child_said, schema)
            yield prose(inner.get("description", ""))
            yield ""
            if inner.get("properties"):
                yield from keys_table(inner["properties"], schema)


# Commands


class Caught(Exception):
    """Carries a command's parser out of its `main`, before any argument is read."""


def parser_of(command: str) -> argparse.ArgumentParser:
    """The parser that a command builds."""

    def catch(parser: argparse.ArgumentParser, *_: object) -> None:
        raise Caught(parser)

    main = import_module(f"ptnl.cli.{command}").main
    with (
        patch.object(argparse.ArgumentParser, "parse_args", catch),
        patch(
            "ptnl.cli.entry.usable_threads", return_value="all"
        ),  # a default, of the machine that builds
        patch.dict(os.environ, XDG_CACHE_HOME=""),
    ):
        try:
            main([])
        except Caught as caught:
            parser = caught.args[0]
    parser.prog = f"ptnl {command}"
    return parser


def option(action: argparse.Action) -> list[str]:
    """A row on an option: its names, whether it must be given or its default, and its help."""
    names = ", ".join(f"`{name}`" for name in action.option_strings)
    names = names or f"`{action.metavar or action.dest}`"
    if action.choices and not isinstance(action, argparse._SubParsersAction):
        names += ": " + ", ".join(f"`{choice}`" for choice in action.choices)
    if action.required:
        value = "required"
    elif action.default in (None, False, argparse.SUPPRESS, [], ()):
        value = "–"
    else:
        value = f"`{str(action.default).replace(str(Path.home()), '~')}`"
    return [names, value, cell(action.help or "")]


def options(parser: argparse.ArgumentParser) -> Lines:
    """What a parser takes: its options, or its actions, each with options of its own."""
    rows = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield f"`{name}`: {inner.description}"
                yield ""
            yield from options(inner)  # all share their options
        elif not isinstance(action, argparse._HelpAction):
            rows.append(option(action))
    if rows:
        yield from table(["option", "default", "what it says"], rows)


def commands_reference() -> Lines:
    """Every command with its options."""
    known = commands()
    for title, names in (
        ("On your own images", [name for name in known if name in OWN]),
        ("Tools", [name for name in known if name in TOOLS - OWN]),
        ("Steps of the workflow", [name for name in known if name not in TOOLS]),
    ):
        yield f"## {title}"
        yield ""
        for name in names:
            parser = parser_of(name)
            yield f"### `ptnl {name}`"
            yield ""
            yield prose(parser.description or "")
            yield ""
            yield from options(parser)


# Tables on disk


def comments_above(source: str) -> dict[int, str]:
    """Line number -> the comment that ends on the line above it, or stands behind its code."""
    found: dict[int, list[str]] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT:
            continue
        line, column = token.start
        if token.line[:column].strip():
            found[line] = [token.string[1:].strip()]
        else:
            found[line + 1] = [*found.pop(line, []), token.string[1:].strip()]
    return {line: " ".join(texts) for line, texts in found.items()}


def columns_reference() -> Lines:
    """Every table's columns, types and comments."""
    source = (ROOT / COLUMNS).read_text()
    comments = comments_above(source)
    for node in ast.parse(source).body:
        if not (isinstance(node, ast.AnnAssign) and ast.unparse(node.annotation) == "Schema"):
            continue
        yield f"## {node.target.id}"
        yield ""
        yield prose(comments.get(node.lineno, ""))
        yield ""
        if not isinstance(node.value, ast.Dict):
            yield f"`{ast.unparse(node.value)}`: the same columns."
            yield ""
            continue
        rows = []
        for key, value in zip(node.value.keys, node.value.values, strict=True):
            if key is None:
                rows.append([f"columns of `{ast.unparse(value)}`", "", ""])
                continue
            comment = cell(comments.get(key.lineno, "")) if key.lineno > node.lineno else ""
            rows.append([f"`{key.value}`", f"`{ast.literal_eval(value)}`", comment])
        yield from table(["column", "type", "what it holds"], rows)


GENERATORS: dict[str, Callable[[], Lines]] = {
    "columns": columns_reference,
    "commands": commands_reference,
    "configuration": configuration,
}


def fill_in(app: Sphinx, page: str, source: list[str]) -> None:
    """Put what is generated in the place of its mark."""
    source[0] = MARK.sub(lambda mark: "\n".join(GENERATORS[mark[1]]()), source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Fill pages in as they are read."""
    app.connect("source-read", fill_in)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
