"""Protocols: how a paper, a code release or a later work ran the same study. Pure, without torch.

A protocol is a file of `ptnl/study/presets/`. Its values stand between config.yaml and what a user
says on top of it (`--configfile`, `--config`): config.yaml gives way to them, the user's values do
not.
"""

from collections.abc import Mapping, Set
from typing import Any

from ptnl.errors import InputError


def hyper_parameters(schema: Mapping[str, Any]) -> dict[str, Set[str]]:
    """Method -> the names of its hyper-parameters, by the schema of the config."""
    methods = schema["properties"]["methods"]["properties"]

    def resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
        return schema["$defs"][node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else node

    return {name: set(resolved(node).get("properties", {})) for name, node in methods.items()}


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two nested mappings as one, where `above` wins; as Snakemake merges config files.

    A null of `above` replaces what is below, as any value does;
    `ptnl.study.config.without_dropped` then leaves both out.
    """
    both = dict(below)
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(below.get(key), Mapping):
            both[key] = merged(below[key], value)
        else:
            both[key] = value
    return both


def apply_protocol(
    config: Mapping[str, Any],
    preset: Mapping[str, Any],
    explicit: Mapping[str, Any],
    known: Mapping[str, Set[str]],
) -> dict[str, Any]:
    """The config under a protocol.

    Parameters
    ----------
    config : config.yaml with everything that the user laid over it
    preset : the protocol: keys of the config, which replace its values, and `settings`, each given
        to every method of the study that has a hyper-parameter of that name
    explicit : what the user laid over config.yaml; it wins over the preset
    known : method -> names of its hyper-parameters (see `hyper_parameters`)
    """
    settings = preset.get("settings", {})
    top = {key: value for key, value in preset.items() if key != "settings"}
    methods = {
        method: {**own, **{k: v for k, v in settings.items() if k in known[method]}}
        for method, own in config["methods"].items()
    }
    return merged({**config, **top, "methods": methods}, explicit)


def protocol_of(config: Mapping[str, Any], presets: Mapping[str, Any]) -> Mapping[str, Any]:
    """The preset that the config names; an unknown name is an `InputError`."""
    name = config["protocol"]
    if name not in presets:
        raise InputError(
            f"config: protocol: {name!r} is unknown; choose from {', '.join(sorted(presets))}"
        )
    return presets[name]
