"""Protocols: how a paper, a code release or a later work ran the same study. Pure, without torch.

A protocol is a file of `ptnl/study/presets/`: keys of the config, each value beside its source. A
study's own config lies on top of it, config.yaml first, then what the user says (`--configfile`,
`--config`): each layer wins over those below.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, Self

from ptnl.errors import InputError, unknown

PER_EPOCH = "per_epoch"  # `views`: a new view in every epoch


@dataclass(frozen=True)
class Stated:
    """What a protocol says of a parameter."""

    value: Any
    source: str  # where it is from: a section, a table, or a file
    open: bool = False  # whether the protocol's own work leaves it open

    @classmethod
    def of(cls, node: Any) -> Self | None:
        """The statement that a node of a preset is, if it is one."""
        if isinstance(node, Mapping) and {"value", "source"} <= node.keys():
            return cls(**node)
        return None


def hyper_parameters(schema: Mapping[str, Any]) -> dict[str, Set[str]]:
    """Method -> the names of the hyper-parameters that the protocol decides.

    Those are all for which the schema of the config has no default. A default is the value of the
    method's own authors, which holds under every protocol.
    """
    methods = schema["properties"]["methods"]["properties"]

    def resolved(node: Mapping[str, Any]) -> Mapping[str, Any]:
        return schema["$defs"][node["$ref"].rsplit("/", 1)[1]] if "$ref" in node else node

    return {
        method: {
            name
            for name, child in resolved(node).get("properties", {}).items()
            if "default" not in child
        }
        for method, node in methods.items()
    }


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


def statements(preset: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Stated]]:
    """Every parameter of a preset by its path, such as `settings.epochs`, in the preset's order."""
    for name, node in preset.items():
        if stated := Stated.of(node):
            yield f"{path}{name}", stated
        elif isinstance(node, Mapping):
            yield from statements(node, f"{path}{name}.")


def protocol_values(name: str, presets: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What a protocol says, without its sources, on top of the protocol that it extends.

    Raises `InputError` where there is no such protocol.
    """
    if name not in presets:
        raise InputError(f"config: protocol: {unknown(name, sorted(presets))}")

    def plain(node: Any) -> Any:
        if stated := Stated.of(node):
            return stated.value
        if isinstance(node, Mapping):
            return {key: plain(child) for key, child in node.items()}
        return node

    preset: dict[str, Any] = plain(presets[name])
    if "extends" in preset:
        return merged(protocol_values(preset.pop("extends"), presets), preset)
    return preset


def apply_protocol(
    config: Mapping[str, Any], protocol: Mapping[str, Any], known: Mapping[str, Set[str]]
) -> dict[str, Any]:
    """The config of a study, laid over a protocol.

    Parameters
    ----------
    config : the study's own; its `methods` decide which methods the study has
    protocol : keys of the config; `settings`, each given to every method of the study whose
        hyper-parameter of that name it decides; and `methods`, what single methods have instead
    known : method -> names of the hyper-parameters that it decides (see `hyper_parameters`)
    """
    settings, own = protocol["settings"], protocol["methods"]
    methods = {
        method: {
            **{key: value for key, value in settings.items() if key in known[method]},
            **own.get(method, {}),
            **said,
        }
        for method, said in config["methods"].items()
    }
    top = {key: value for key, value in protocol.items() if key not in ("settings", "methods")}
    top["noise"] = dict(_noise_of_methods(protocol["noise"], methods))
    full = {**merged(top, config), "methods": methods}
    if full["views"] == PER_EPOCH:
        full["views"] = max((said.get("epochs", 0) for said in methods.values()), default=0)
    return full


def _noise_of_methods(
    noise: Mapping[str, Any], methods: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any] | None]]:
    """A protocol's kinds of noise, for the methods that a study has; none where it has none."""
    for kind, options in noise.items():
        if options is None or "methods" not in options:
            yield kind, options
        elif kept := [method for method in options["methods"] if method in methods]:
            yield kind, {**options, "methods": kept}
