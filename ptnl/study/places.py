"""Names and paths of a config: where a study's files lie. Pure but for the environment."""

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from ptnl.errors import InputError

Config = Mapping[str, Any]

MAX_NAME = 100  # characters; names become folders and parts of file names
NAME = re.compile(r"[A-Za-z0-9_.-]+")
# Characters that Snakemake reads in a path of its own as a wildcard or a path variable.
SNAKEMAKES = "{}<>"


def check_name(key: str, name: str) -> None:
    """Refuse a name that cannot be a folder's: an `InputError` that names its key."""
    if not NAME.fullmatch(name):
        raise InputError(f"config: {key}: {name!r} holds more than letters, digits, '_', '.' and '-'")
    if name[0] in ".-":
        raise InputError(f"config: {key}: {name!r} begins with {name[0]!r}; begin with a letter")
    if len(name) > MAX_NAME:
        raise InputError(
            f"config: {key}: a name of {len(name)} characters; take {MAX_NAME} at most"
        )


def check_names(config: Config) -> None:
    """Refuse names of the study, of data sets and of backbones that cannot be folders."""
    check_name("study", config["study"])
    for key in ("dataset_options", "backbones"):
        for name in config.get(key, {}):
            check_name(key, name)


def expanded(config: Config) -> dict[str, Any]:
    """The config with `~` and environment variables expanded in every path."""
    full = dict(config)
    if "data_root" in config:
        full["data_root"] = _path("data_root", config["data_root"], SNAKEMAKES)
    full["sources"] = [_path("sources", path, SNAKEMAKES) for path in config.get("sources", [])]
    full["pathvars"] = {
        name: _path(f"pathvars.{name}", path, "{}")
        for name, path in config.get("pathvars", {}).items()
    }
    full["dataset_options"] = _each(config, "dataset_options", _dataset_paths)
    full["backbones"] = _each(config, "backbones", _backbone_paths)
    return full


def _each(
    config: Config, key: str, change: Callable[[str, Config], dict[str, str]]
) -> dict[str, Any]:
    """The entries under a key, with the paths that `change` finds in them."""
    return {
        name: {**entry, **change(f"{key}.{name}", entry)}
        for name, entry in config.get(key, {}).items()
    }


def _dataset_paths(key: str, options: Config) -> dict[str, str]:
    paths = {name: options[name] for name in ("folder", "images", "source") if name in options}
    found = {name: _path(f"{key}.{name}", path) for name, path in paths.items()}
    if "manifest" in options:  # an input of Snakemake's
        found["manifest"] = _path(f"{key}.manifest", options["manifest"], SNAKEMAKES)
    return found


def _backbone_paths(key: str, options: Config) -> dict[str, str]:
    paths = {name: options[name] for name in ("weights",) if name in options}
    if options.get("model", "").endswith(".json"):  # a file, not a name of open_clip's
        paths["model"] = options["model"]
    return {name: _path(f"{key}.{name}", path, SNAKEMAKES) for name, path in paths.items()}


def _path(key: str, text: str, refused: str = "") -> str:
    """A path with `~` and environment variables expanded; an `InputError` where it cannot be."""
    path = os.path.expandvars(os.path.expanduser(text))
    if unset := re.search(r"\$(\w+|\{\w+\})", path):
        name = unset.group(1).strip("{}")
        raise InputError(f"config: {key}: {text!r}: the environment variable {name} is not set")
    if path.startswith("~"):
        raise InputError(f"config: {key}: {text!r}: there is no such user")
    for character in path:
        if character in refused or not character.isprintable():
            raise InputError(
                f"config: {key}: {text!r} holds {character!r}, which the workflow cannot have in a "
                "path; make a link to it under another name"
            )
    return path
