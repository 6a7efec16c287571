"""The files that data sets come from: one table, which overlays may replace. Without torch."""

from dataclasses import dataclass
from pathlib import Path

import yaml

TABLE = Path(__file__).with_name("sources.yaml")


@dataclass(frozen=True)
class Source:
    """A file, and where it can be had."""

    name: str  # of the file on disk, unlike that of any other
    dataset: str
    urls: tuple[str, ...] = ()  # in order; `drive:ID` is Google Drive's. None: only by hand
    md5: str = ""  # hexadecimal; empty where nobody published it
    sha256: str = ""
    bytes: int | None = None


def load_sources(*overlays: Path) -> dict[str, Source]:
    """Name of every file -> its source; an overlay's entries replace those of the same name."""
    sources = {}
    for path in (TABLE, *overlays):
        for dataset, entry in yaml.safe_load(path.read_text()).items():
            for name, values in entry["files"].items():
                urls = tuple(values.pop("urls", ()))
                sources[name] = Source(name, dataset, urls, **values)
    return sources
