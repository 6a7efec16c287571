"""What each table and figure of the paper shows. Pure, without torch: the Snakefile reads it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Layout:
    """A table or figure: which methods, under which noise, in the order of the paper."""

    title: str
    methods: tuple[str, ...]
    noise: str

    def with_random_noise(self, kind: str) -> "Layout":
        """The layout with a protocol's kind of noise in the place of the paper's random noise."""
        return replace(self, noise=kind) if self.noise == "symmetric" else self


TABLES = {
    1: Layout(
        "Prompt tuning against classifiers on the same features",
        ("classifier_r", "classifier_c", "prompt_ce"),
        "symmetric",
    ),
}

FIGURES = {
    2: Layout(
        "A robust loss helps prompts more than linear probes",
        ("prompt_gce", "prompt_ce", "linear_probe_gce", "linear_probe"),
        "symmetric",
    ),
}


def fillable(layouts: Mapping[int, Layout], config: Mapping[str, Any]) -> list[int]:
    """The numbers of the layouts whose methods and noise the study's primary backbone runs."""
    options = config["backbones"][config["primary_backbone"]]
    methods = options.get("methods", list(config["methods"]))
    return [
        number
        for number, layout in layouts.items()
        if set(layout.methods) <= set(methods)
        and layout.with_random_noise(config["random_noise"]).noise in config["noise"]
    ]
