"""Checking a study's config: one clear sentence for what is wrong. Pure, without torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import jsonschema
import yaml

from ptnl.errors import InputError
from ptnl.study.grid import check_grid
from ptnl.study.protocols import apply_protocol, hyper_parameters, merged, protocol_of


@dataclass(frozen=True)
class Rules:
    """What a config may say, and what it can leave to others."""

    schema: Mapping[str, Any]  # JSON schema of the config
    protocols: Mapping[str, Mapping[str, Any]]  # name -> values

    @classmethod
    def shipped(cls) -> Self:
        """The schema and the protocols that the package ships."""
        folder = Path(str(files("ptnl.study")))
        return cls(
            _read_yaml(folder / "config.schema.yaml"),
            {file.stem: _read_yaml(file) for file in sorted(folder.glob("presets/*.yaml"))},
        )


def study_config(
    config: Mapping[str, Any], explicit: Mapping[str, Any], rules: Rules
) -> dict[str, Any]:
    """A study's whole config, with defaults and protocol; an `InputError` where it is wrong.

    Parameters
    ----------
    config : config.yaml with everything that the user laid over it
    explicit : what the user laid over it; it wins over the protocol
    """
    kept = without_dropped(config)
    check_config(kept, rules.schema)
    full = with_defaults(kept, rules.schema)
    preset = protocol_of(full, rules.protocols)
    full = apply_protocol(full, preset, explicit, hyper_parameters(rules.schema))
    full = only_methods(without_dropped(full))
    check_config(full, rules.schema)
    return full


def read_study(root: Path, overlays: Sequence[Path], said: Mapping[str, Any]) -> dict[str, Any]:
    """The config that Snakemake would plan with in the repository `root`.

    overlays, said : what `--configfile` and `--config` say
    """
    explicit: dict[str, Any] = {}
    for layer in (*map(_read_yaml, overlays), said):
        explicit = merged(explicit, layer)
    config = merged(_read_yaml(root / "config.yaml"), explicit)
    return study_config(config, explicit, Rules.shipped())


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise InputError(f"{path}: not readable as YAML ({error})") from error
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds no keys and values")
    return content


# What an overlay can take out of a study that lies below it.
DROPPED_BY_NULL = ("backbones", "methods", "noise")


def without_dropped(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config without the entries of `backbones`, `methods` and `noise` that are null.

    So an overlay takes out what the file below it put in, as with a JSON merge patch (RFC 7386). A
    null elsewhere is kept, for the schema to refuse: there it is a value that was forgotten.
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

    def kept(entries: Mapping[str, Any], always: str) -> dict[str, Any]:
        left = {
            name: {**entry, "methods": [m for m in entry["methods"] if m in wanted]}
            if "methods" in entry
            else entry
            for name, entry in entries.items()
        }
        return {
            name: entry
            for name, entry in left.items()
            if name == always or entry.get("methods") != []
        }

    return {
        **config,
        "methods": {name: config["methods"][name] for name in wanted},
        "backbones": kept(config["backbones"], config["primary_backbone"]),
        "noise": kept(config["noise"], config.get("random_noise", "symmetric")),
        "dataset_methods": {
            dataset: [name for name in methods if name in wanted]
            for dataset, methods in config.get("dataset_methods", {}).items()
        },
    }


def with_defaults(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The config with the schema's defaults where it is silent.

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

    return completed(config, schema)


def check_config(config: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Raise an `InputError` that names the first key at fault.

    `schema` sees keys, types and bounds; the registries, and whether rates fit the shots, are
    checked after it.
    """
    validator = jsonschema.Draft202012Validator(schema)
    error = jsonschema.exceptions.best_match(validator.iter_errors(config))
    if error is not None:
        raise InputError(_sentence(error))
    check_grid(with_defaults(config, schema))


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
