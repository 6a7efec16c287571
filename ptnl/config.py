"""Checking a study's config: one clear sentence for what is wrong. Pure, without torch."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import jsonschema

from ptnl.errors import InputError
from ptnl.grid import check_grid


def check_config(config: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Raise an `InputError` that names the first key at fault.

    `schema` sees keys, types and bounds; the registries, and whether rates fit the shots, are
    checked after it.
    """
    validator = jsonschema.Draft202012Validator(schema)
    error = jsonschema.exceptions.best_match(validator.iter_errors(config))
    if error is not None:
        raise InputError(_sentence(error))
    check_grid(config)


def _sentence(error: jsonschema.ValidationError) -> str:
    where = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties":
        allowed = sorted(error.schema.get("properties", {}))
        unknown = next(key for key in error.instance if key not in allowed)
        close = get_close_matches(unknown, allowed, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(allowed)}"
        return f"config: unknown key {'.'.join(filter(None, (where, unknown)))!r}; {hint}"
    if error.validator == "required":
        return f"config: {error.message}"
    return f"config: {where}: {error.message}"
