"""The registry of data sets: one line each, and one module for each way to get one.

Importing it never imports a data set's module: the Snakefile reads it.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Dataset:
    """What the study needs to know of a data set before it is there."""

    title: str  # in tables and figures
    template: str  # hand-crafted prompt; {} is the class name
    module: str  # below `ptnl.data`; offers `download` and `index` (see `ptnl.data.embedded`)
    assets: tuple[str, ...] = ()  # shipped files that it comes from
    flips: bool = True  # whether a mirrored image keeps its label


DATASETS = {
    "icons": Dataset("Icons", "an icon of a {}.", "embedded", ("icons.parquet",)),
    "symbols": Dataset(
        "Symbols", "the symbol for {}.", "embedded", ("symbols.parquet",), flips=False
    ),
}
