"""Checking a study's config: one clear sentence for what is wrong. Pure, without torch."""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import jsonschema

from ptnl.errors import InputError
from ptnl.methods import METHODS
from ptnl.study.grid import check_grid
from ptnl.study.method_schema import with_methods
from ptnl.study.places import check_names, expanded
from ptnl.study.protocols import apply_protocol, hyper_parameters, merged, protocol_values
from ptnl.study.refusal import sentence
from ptnl.study.strict_yaml import read_yaml

REPOSITORY = Path(__file__).parents[2]  # holds the Snakefile and config.yaml


@dataclass(frozen=True)
class Rules:
    """What a config may say, and what it can leave to others."""

    schema: Mapping[str, Any]  # JSON schema of the config
    protocols: Mapping[str, Mapping[str, Any]]  # name -> values beside their sources

    @classmethod
    @cache
    def shipped(cls) -> Self:
        """The schema and the protocols that the package ships."""
        folder = Path(str(files("ptnl.study")))
        return cls(
            with_methods(_read_yaml(folder / "config.schema.yaml"), METHODS),
            {file.stem: _read_yaml(file) for file in sorted(folder.glob("presets/*.yaml"))},
        )


def study_config(config: Mapping[str, Any], rules: Rules) -> dict[str, Any]:
    """A study's whole config, laid over its protocol and with defaults.

    Raises `InputError` where it is wrong.

    config : config.yaml with everything that the user laid over it
    """
    kept = without_dropped(config)
    _check_schema(kept, rules.schema, is_whole=False)
    name = kept.get("protocol", rules.schema["properties"]["protocol"]["default"])
    protocol = protocol_values(name, rules.protocols)
    known = hyper_parameters(rules.schema)
    # A null in the config also removes the protocol's entry.
    laid = apply_protocol({**config, "methods": kept["methods"]}, protocol, known)
    full = with_defaults(without_dropped(laid), rules.schema)
    for method, own in full["methods"].items():
        if missing := sorted(known[method] - own.keys()):
            raise InputError(
                f"config: methods.{method}: neither the config nor the protocol {name!r} says "
                f"its {missing[0]}"
            )
    full = only_methods(full)
    check_config(full, rules.schema)
    return expanded(full)


def study_of(root: Path, said: Mapping[str, Any]) -> dict[str, Any]:
    """The whole config of a study: what a user says, over config.yaml of the repository `root`."""
    return study_config(merged(_read_yaml(root / "config.yaml"), said), Rules.shipped())


def read_study(root: Path, overlays: Sequence[Path], said: Mapping[str, Any]) -> dict[str, Any]:
    """The config that Snakemake would plan with.

    root : the repository
    overlays, said : what `--configfile` and `--config` say
    """
    explicit: dict[str, Any] = {}
    for layer in (*map(_read_yaml, overlays), said):
        explicit = merged(explicit, layer)
    return study_of(root, explicit)


def _read_yaml(path: Path) -> dict[str, Any]:
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no keys and values")
    return content


# Entries that an overlay can remove from the config below it.
DROPPED_BY_NULL = ("backbones", "dataset_methods", "methods", "noise")


def without_dropped(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config without the null entries of `DROPPED_BY_NULL`.

    In this way an overlay removes an entry of the file below it, as a JSON merge patch does
    (RFC 7386). A null elsewhere is kept, so that the schema refuses it as a forgotten value.
    """

    def kept(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {name: entry for name, entry in value.items() if entry is not None}

    return {key: kept(v) if key in DROPPED_BY_NULL else v for key, v in config.items()}


def only_methods(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config with the methods that `methods_only` lists, in its order, and no others.

    Backbones, other than the primary one, and kinds of noise, other than the random one, are left
    out where they were there for other methods only.
    """
    if "methods_only" not in config:
        return dict(config)
    wanted = config["methods_only"]
    for name in wanted:
        if name not in config["methods"]:
            raise InputError(
                f"config: methods_only: {name!r} is not in the study; "
                f"choose from {', '.join(config['methods'])}"
            )

    def kept(entries: Mapping[str, Any], always: str, **there: Iterable[str]) -> dict[str, Any]:
        """Entries whose lists keep only what is there; those with an empty list are left out."""
        left = {
            name: {
                key: [item for item in value if item in there[key]] if key in there else value
                for key, value in entry.items()
            }
            for name, entry in entries.items()
        }
        return {
            name: entry
            for name, entry in left.items()
            if name == always or all(entry[key] for key in there if key in entry)
        }

    backbones = kept(config["backbones"], config["primary_backbone"], methods=wanted)
    noise = kept(config["noise"], config["random_noise"], methods=wanted, backbones=backbones)
    return {
        **config,
        "methods": {name: config["methods"][name] for name in wanted},
        "backbones": backbones,
        "noise": noise,
        "dataset_methods": {
            dataset: [name for name in methods if name in wanted]
            for dataset, methods in config.get("dataset_methods", {}).items()
        },
    }


def with_defaults(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The config, completed by the schema's defaults.

    An object that the config has is completed; one that it lacks is not added, for every method
    that the schema knows would enter the study. (Snakemake's `validate` fills in nothing behind a
    `$ref`, where the hyper-parameters stand.)
    """

    def resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
        if "$ref" not in node:
            return node
        return {**schema["$defs"][node["$ref"].rsplit("/", 1)[1]], **node}

    def completed(value: Any, node: Mapping[str, Any]) -> Any:
        if not isinstance(value, Mapping):
            return value
        own = {name: resolved(child) for name, child in node.get("properties", {}).items()}
        other = node.get("additionalProperties")
        full = {
            name: completed(child, own.get(name, other if isinstance(other, Mapping) else {}))
            for name, child in value.items()
        }
        for name, child in own.items():
            if name not in full and "default" in child and child["type"] != "object":
                full[name] = child["default"]
        return full

    whole: dict[str, Any] = completed(config, schema)
    return whole


def check_config(config: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Raise an `InputError` that names the first key at fault in a whole config.

    `schema` sees keys, types and bounds; what keys say of each other, and the registries, are
    checked after it.
    """
    _check_schema(config, schema)
    check_names(config)
    check_grid(config)


def _check_schema(
    config: Mapping[str, Any], schema: Mapping[str, Any], is_whole: bool = True
) -> None:
    """Raise an `InputError` for the first key that is unknown, or whose value is out of bounds.

    A config that is not whole may lack what the protocol below it has.
    """

    def can_come(error: jsonschema.ValidationError) -> bool:
        return bool(error.absolute_path) and error.validator in ("required", "minProperties")

    _check_keys(config, "")
    errors = Validator(schema).iter_errors(config)
    error = jsonschema.exceptions.best_match(e for e in errors if is_whole or not can_come(e))
    if error is not None:
        raise InputError(sentence(error))


def _is_whole(_: jsonschema.TypeChecker, value: Any) -> bool:
    """Whether a value is written as a whole number: 16.0 would reach commands as that."""
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(_: jsonschema.TypeChecker, value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_matched(
    _: Any, pattern: str, value: Any, schema: Mapping[str, Any]
) -> Iterator[jsonschema.ValidationError]:
    """JSON schema's `pattern`, of a whole text: its `$` lets a line break follow."""
    if isinstance(value, str) and not re.fullmatch(pattern, value):
        yield jsonschema.ValidationError(f"{value!r} does not match {pattern!r}")


Validator = jsonschema.validators.extend(
    jsonschema.Draft202012Validator,
    {"pattern": _is_matched},
    type_checker=jsonschema.Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_whole, "number": _is_finite}
    ),
)


def _check_keys(node: Any, path: str) -> None:
    """Refuse keys that YAML does not read as text, such as 1, yes and null."""
    for key, value in node.items() if isinstance(node, Mapping) else ():
        if not isinstance(key, str):
            raise InputError(f"config: {path or 'the top level'}: the key {key!r} needs quotes")
        _check_keys(value, f"{path}.{key}" if path else key)
