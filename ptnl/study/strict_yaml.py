"""YAML files in which no key may stand twice. Imports no pandas, because planning uses it."""

import io
from pathlib import Path
from typing import Any

import yaml

from ptnl.errors import InputError

MERGE = "<<"  # YAML's key for what another mapping holds
# libyaml reads a file five times as fast, but a PyYAML that was built without it lacks this class.
FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DEEPEST = 1000  # levels that libyaml is trusted with: some 20,000 end the process


def read_yaml(path: Path) -> Any:
    """Read a YAML file; an unreadable one, or one with a key twice, is an `InputError`."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        stream = io.StringIO(text)
        stream.name = str(path)  # errors say it
        loader = (FAST if _most_levels(text) <= DEEPEST else yaml.SafeLoader)(stream)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _refuse_twice(node, path)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"{path}: not readable as YAML ({said})") from error


def _most_levels(text: str) -> int:
    """More levels than a text has: each takes a bracket, or begins further to the right."""
    return text.count("[") + text.count("{") + max(map(len, text.splitlines()), default=0)


def _refuse_twice(root: yaml.Node, path: Path) -> None:
    """Refuse a key that stands twice: YAML would silently let the second replace the first."""
    waiting, seen = [root], {id(root)}
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            _refuse_key_twice(node, path)
            inner = [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            inner = node.value
        else:
            continue
        # An anchor's node stands wherever an alias names it.
        waiting += [part for part in inner if id(part) not in seen]
        seen.update(map(id, inner))


def _refuse_key_twice(mapping: yaml.MappingNode, path: Path) -> None:
    first: dict[str, int] = {}
    for key in (key for key, _ in mapping.value if isinstance(key, yaml.ScalarNode)):
        line = key.start_mark.line + 1
        if key.value in first and key.value != MERGE:
            raise InputError(
                f"{path}: {key.value} stands twice, in lines {first[key.value]} and {line}"
            )
        first[key.value] = line
