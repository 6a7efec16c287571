"""Names and paths of a config: where a study's files lie. Pure but for the environment."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ptnl.backbones.registry import SOURCE_KEYS
from ptnl.data import image_options, options_of
from ptnl.errors import InputError
from ptnl.provenance import fingerprint

Config = Mapping[str, Any]

MAX_NAME = 100  # characters; names become folders and parts of file names
# Characters that Snakemake reads in a path of its own as a wildcard or a path variable.
SNAKEMAKES = "{}<>"


def dataset_place(config: Config, name: str) -> str:
    """The folder of a data set below the data root.

    Studies that want other images of it, or images from elsewhere, have each a folder of their own,
    so that none undoes another's.
    """
    return _place(name, image_options(options_of(config, name)))


def backbone_place(config: Config, name: str) -> str:
    """The folder of a backbone below the data root's `backbones` (see `dataset_place`)."""
    said = config["backbones"].get(name, {})
    return _place(name, {key: said[key] for key in SOURCE_KEYS if key in said})


def _place(name: str, special: Config) -> str:
    return f"{name}@{fingerprint(special)[:8]}" if special else name


def check_name(key: str, name: str, marks: str = "_.-") -> None:
    """Refuse a name that cannot be a folder's: an `InputError` that names its key.

    marks : what it may hold beside letters and digits
    """
    if len(name) > MAX_NAME:
        raise InputError(
            f"config: {key}: a name of {len(name)} characters; {MAX_NAME} are the most"
        )
    said = f"config: {key}: the name {name!r}"
    if not re.fullmatch(f"[A-Za-z0-9{re.escape(marks)}]+", name):
        known = ", ".join(map(repr, marks))
        raise InputError(f"{said} holds other characters than letters, digits and {known}")
    if name[0] in ".-":
        raise InputError(f"{said} begins with {name[0]!r}; let it begin with a letter or digit")


def check_names(config: Config) -> None:
    """Refuse names of the study, of data sets and of backbones that cannot be folders."""
    check_name("study", config["study"])
    for name in config.get("dataset_options", {}):
        check_name("dataset_options", name, "_-")
    for name in config["backbones"]:
        check_name("backbones", name)


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


def results_folder(config: Config) -> Path:
    """Where a study's results lie, as the Snakefile places them."""
    return Path(config.get("pathvars", {}).get("results", f"results/{config['study']}"))


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
    tables = {name: options[name] for name in ("manifest", "names") if name in options}
    # Snakemake looks at tables itself.
    return found | {n: _path(f"{key}.{n}", path, SNAKEMAKES) for n, path in tables.items()}


def _backbone_paths(key: str, options: Config) -> dict[str, str]:
    paths = {name: options[name] for name in ("weights",) if name in options}
    if options.get("model", "").endswith(".json"):  # a file, not a name of open_clip's
        paths["model"] = options["model"]
    return {name: _path(f"{key}.{name}", path, SNAKEMAKES) for name, path in paths.items()}


def _path(key: str, text: str, refused: str = "") -> str:
    """A path with `~` and environment variables expanded; an `InputError` where it cannot be."""
    try:
        path = os.path.expandvars(Path(text).expanduser())
    except RuntimeError as error:
        raise InputError(f"config: {key}: {text!r}: there is no such user") from error
    if unset := re.search(r"\$(\w+|\{\w+\})", path):
        name = unset.group(1).strip("{}")
        raise InputError(f"config: {key}: {text!r}: the environment variable {name} is not set")
    for character in path:
        if character in refused or not character.isprintable():
            raise InputError(
                f"config: {key}: {text!r} holds {character!r}, which the workflow cannot have in a "
                "path; make a link to it under another name"
            )
    return path
