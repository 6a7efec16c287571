"""The files that data sets come from: one table, which overlays may replace. Without torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from ptnl.errors import InputError

TABLE = Path(__file__).with_name("sources.yaml")

# Names of data sets and files become those of folders and files.
SCHEMA = {
    "type": "object",
    "propertyNames": {"pattern": r"^\w[\w-]*$"},
    "additionalProperties": {
        "type": "object",
        "additionalProperties": False,
        "required": ["files"],
        "properties": {
            "homepage": {"type": "string"},
            "licence": {"type": "string"},
            "citation": {"type": "string"},
            "files": {
                "type": "object",
                "minProperties": 1,
                "propertyNames": {"pattern": r"^[^./\\][^/\\]*$"},
                "additionalProperties": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "urls": {
                            "type": "array",
                            "items": {"type": "string", "pattern": r"^(https?://|drive:)\S+$"},
                        },
                        "md5": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
                        "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
                        "bytes": {"type": "integer", "minimum": 1},
                        "optional": {"type": "boolean"},
                    },
                },
            },
        },
    },
}


@dataclass(frozen=True)
class Source:
    """A file, where it can be had, and what is known of it."""

    name: str  # of the file on disk, unlike that of any other
    dataset: str
    # In order; `drive:ID` is on Google Drive, `URL#NAME` in a zip. None: only by hand.
    urls: tuple[str, ...] = ()
    md5: str = ""  # hexadecimal; empty where nobody published it
    sha256: str = ""  # likewise; may be cut short, as publishers write it into names of files
    bytes: int | None = None
    optional: bool = False  # not needed for the usual way to the data set
    homepage: str = ""  # of the data set, as are the two below
    licence: str = ""
    citation: str = ""

    @property
    def has_checksum(self) -> bool:
        return bool(self.md5 or self.sha256)


def load_sources(*overlays: Path) -> dict[str, Source]:
    """Name of every file -> its source, in the order of the table.

    Parameters
    ----------
    overlays : YAML files of the same form as `TABLE`, such as an institute's own mirror. An entry
        replaces the one of the same name whole; what an overlay does not say of a data set
        (homepage, licence, citation) stays.

    Raises
    ------
    InputError : for a file that breaks the form, by file and key
    """
    sources: dict[str, Source] = {}
    about: dict[str, Mapping[str, str]] = {}
    for path in (TABLE, *overlays):
        for dataset, entry in _read(path).items():
            said = {key: value for key, value in entry.items() if key != "files"}
            about[dataset] = {**about.get(dataset, {}), **said}
            for name, values in entry["files"].items():
                if name in sources and sources[name].dataset != dataset:
                    raise InputError(
                        f"{path}: {dataset}: files: {name}: is a file of "
                        f"{sources[name].dataset} already"
                    )
                known = {**about[dataset], **values}
                sources[name] = Source(name, dataset, urls=tuple(known.pop("urls", ())), **known)
    return sources


def _read(path: Path) -> Mapping[str, Any]:
    try:
        table = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(
            f"{path}: not readable as YAML ({' '.join(str(error).split())})"
        ) from error
    fault = jsonschema.exceptions.best_match(
        jsonschema.Draft202012Validator(SCHEMA).iter_errors(table)
    )
    if fault is not None:
        where = "".join(f"{key}: " for key in fault.absolute_path)
        raise InputError(f"{path}: {where}{fault.message}")
    checked: Mapping[str, Any] = table
    return checked
