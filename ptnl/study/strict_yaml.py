"""YAML files in which no key may stand twice. Imports no pandas, because planning uses it."""

from pathlib import Path
from typing import Any

import yaml

from ptnl.errors import InputError

MERGE = "<<"  # YAML's key for what another mapping holds


class _YamlLoader(yaml.SafeLoader):
    """Refuses a key that stands twice: YAML would silently let the second replace the first."""

    # types-PyYAML takes the anchor, a name or None, for a mapping.
    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        first: dict[str, int] = {}
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            line = key.start_mark.line + 1
            if key.value in first and key.value != MERGE:
                raise InputError(
                    f"{self.name}: {key.value} stands twice, in lines {first[key.value]} and {line}"
                )
            first[key.value] = line
        return node


def read_yaml(path: Path) -> Any:
    """Read a YAML file; an unreadable one, or one with a key twice, is an `InputError`."""
    try:
        with Path(path).open(encoding="utf-8") as file:
            return yaml.load(file, _YamlLoader)  # noqa: S506 (it is a SafeLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())
        raise InputError(f"{path}: not readable as YAML ({said})") from error
