"""Every setting of a study in words, from its resolved config. Pure."""

import inspect
from collections.abc import Mapping
from typing import Any

from ptnl.analysis.text_tables import filled_table, markdown_table
from ptnl.data import datasets_of, title_of
from ptnl.labels.noise import NOISES
from ptnl.methods import METHODS

# What decides numbers and belongs to no data set, noise kind, backbone or method.
OF_THE_STUDY = ("protocol", "shots", "seeds", "views", "train_transform", "precision", "fuse")


def _values(options: Mapping[str, Any]) -> str:
    """Settings in one cell."""
    return ", ".join(f"{name} {_value(value)}" for name, value in options.items())


def _value(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def settings_markdown(config: Mapping[str, Any]) -> str:
    """What the study runs with: for all, by kind of noise, data set, backbone and method."""
    datasets = datasets_of(config)
    noise = [
        (kind, (inspect.getdoc(NOISES[kind].label) or "").splitlines()[0], _values(options))
        for kind, options in config["noise"].items()
    ]
    methods = [
        (METHODS[name].title, name, _values(options)) for name, options in config["methods"].items()
    ]
    parts = [
        "**Settings.** All values that the study ran with; the whole config is "
        "[config.yaml](config.yaml), the key to its words `ptnl/study/config.schema.yaml`.",
        markdown_table(
            ["For all", "Value"],
            [(name, _value(config[name])) for name in OF_THE_STUDY if name in config],
            "ll",
        ),
        "**Kinds of noise.**",
        markdown_table(["Noise", "What it does", "Settings"], noise, "lll"),
        "**Data sets.**",
        markdown_table(
            ["Data set", "Hand-crafted prompt"],
            [(title_of(name), datasets[name].template) for name in config["datasets"]],
            "ll",
        ),
        "**Backbones.**",
        filled_table(
            ["Backbone", "Settings"],
            [(name, _values(options)) for name, options in config["backbones"].items()],
            "ll",
        ),
        "**Methods.**",
        markdown_table(["Method", "In the config", "Settings"], methods, "lll"),
    ]
    return "\n\n".join(parts) + "\n"
