"""One sentence for what a config's schema refuses: the key, what is wrong, and the cure."""

import math
import re
from collections.abc import Mapping
from types import NoneType
from typing import Any

import jsonschema

from ptnl.errors import did_you_mean


def sentence(error: jsonschema.ValidationError) -> str:
    """What is wrong with a config, without a full stop."""
    where = ".".join(str(part) for part in error.absolute_path)
    value: Any = error.instance
    wanted: Any = error.validator_value
    schema: Any = error.schema
    if error.validator == "additionalProperties":
        allowed = sorted(schema.get("properties", {}))
        odd = next(key for key in value if key not in allowed)
        name = ".".join(filter(None, (where, odd)))
        near = did_you_mean(odd, allowed)
        known = "" if near else f"; known are: {', '.join(allowed)}"
        return f"config: unknown key {name!r}{near}{known}"
    if error.validator == "required":
        missing = next(key for key in wanted if key not in value)
        return f"config: {'.'.join(filter(None, (where, missing)))}: no value is given"
    if error.validator == "enum":
        choices = [str(choice) for choice in wanted]
        near = did_you_mean(value, choices)
        return f"config: {where}: {value!r} is not one of {', '.join(choices)}{near}"
    return f"config: {where}: {error.message}{_hint(wanted, value, where)}"


def _hint(wanted: Any, value: Any, where: str) -> str:
    """How a value of a wrong type is written right, where that is clear.

    Snakemake reads `--config key=value` as Python does (False, 8, 5e-4), and all that stands in
    brackets there as text.
    """
    kinds = wanted if isinstance(wanted, list) else [wanted]
    is_number = "integer" in kinds or "number" in kinds
    if kinds == ["string"] and not isinstance(value, Mapping | list | NoneType):
        return "; put it in quotes"
    if isinstance(value, float) and is_number:
        if not math.isfinite(value):
            return "; it has to be finite"
        if value.is_integer():
            return f"; write {int(value)}, without a dot"
        return _not_a_share(where)
    if not isinstance(value, str):
        return ""
    right = _yaml_truth(value) if kinds == ["boolean"] else _yaml_number(value, kinds)
    if not right:
        return ""
    if "." in where:
        return (
            f"; it is text: write {right}, without quotes, in a file for --configfile "
            "(what --config has in brackets is all text)"
        )
    said = right.capitalize() if kinds == ["boolean"] else right
    return f"; it is text: write {right}, without quotes, or --config {where}={said}"


def _not_a_share(where: str) -> str:
    """What to write in place of a share of wrong labels."""
    is_rate = re.fullmatch(r"noise\.\w+\.fps\.\d+", where)
    return (
        "; fps counts wrong labels among the shots of a class: write 8 for half of 16"
        if is_rate
        else ""
    )


def _yaml_truth(text: str) -> str:
    """What YAML 1.1 would make of a word without quotes, if that is true or false."""
    for truth, words in {"true": ("true", "yes", "on"), "false": ("false", "no", "off")}.items():
        if text.lower() in words:
            return truth
    return ""


def _yaml_number(text: str, kinds: list[str]) -> str:
    """The number that a text means, as YAML 1.1 reads it; nothing where it is none of that kind."""
    if not {"integer", "number"} & set(kinds):
        return ""
    try:
        number = float(text)
    except ValueError:
        return ""
    if math.isfinite(number) and number.is_integer():
        return str(int(number))
    if not math.isfinite(number) or "number" not in kinds:
        return ""
    digits, exponent, power = repr(number).partition("e")
    return digits + (".0" if exponent and "." not in digits else "") + exponent + power
