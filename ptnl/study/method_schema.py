"""The hyper-parameters of methods as part of the config's schema. Pure, without torch."""

from collections.abc import Mapping
from typing import Any

from ptnl.training.method import Method

NONE: Mapping[str, Any] = {"type": "object", "additionalProperties": False}


def with_methods(schema: Mapping[str, Any], methods: Mapping[str, Method]) -> dict[str, Any]:
    """The schema of the config, with an entry for every method below `methods`.

    Parameters
    ----------
    schema : ptnl/study/config.schema.yaml, whose `$defs` hold what several methods share
    methods : the registry

    Raises
    ------
    KeyError : a method names hyper-parameters that `$defs` does not hold
    """
    entries = {name: _entry(method, schema["$defs"]) for name, method in methods.items()}
    properties = schema["properties"]
    of_methods = {**properties["methods"], "properties": entries}
    return {**schema, "properties": {**properties, "methods": of_methods}}


def _entry(method: Method, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """What the config may say of a method, as JSON schema."""
    shared = kinds[method.settings_of] if method.settings_of else kinds.get(method.module, NONE)
    return {**shared, "properties": {**shared.get("properties", {}), **method.settings}}
