"""Which archives of the data sets are on disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ptnl.errors import InputError
from ptnl.fetch.checksums import is_verified
from ptnl.fetch.part import part_path
from ptnl.fetch.sources import Source


def archives_folder(data_root: Path, dataset: str) -> Path:
    """The folder of a data set's archives."""
    return data_root / dataset / "archives"


def chosen(sources: Mapping[str, Source], names: Sequence[str]) -> list[Source]:
    """The files that `names`, of data sets and of files, stand for; all without names."""
    known = {source.dataset for source in sources.values()} | sources.keys()
    unknown = [name for name in names if name not in known]
    if unknown:
        raise InputError(f"no data set or file {unknown[0]!r}; `ptnl data status` lists them")
    return [
        source
        for source in sources.values()
        if not names or source.name in names or source.dataset in names
    ]


def state_of(source: Source, folder: Path) -> tuple[str, int]:
    """The state of a file in a word or two, and its bytes on disk."""
    path = folder / source.name
    if path.is_file():
        return "there" if is_verified(source, path) else "not verified", path.stat().st_size
    if part_path(path).is_file():
        return "partial", part_path(path).stat().st_size
    if source.optional:
        return "optional", 0
    return "missing" if source.urls else "missing, by hand", 0


def table(sources: Sequence[Source], data_root: Path) -> list[str]:
    """Every file with its state and bytes, under its data set and where that one's files are."""
    lines = []
    width = max(len(source.name) for source in sources)
    for dataset in dict.fromkeys(source.dataset for source in sources):
        folder = archives_folder(data_root, dataset)
        files = [source for source in sources if source.dataset == dataset]
        states = [state_of(source, folder) for source in files]
        there = sum(state == "there" for state, _ in states)
        needed = sum(state != "optional" for state, _ in states)
        total = sum(size for _, size in states)
        lines.append(f"{dataset}: {there} of {needed} files, {readable(total)}, in {folder}")
        for source, (state, size) in zip(files, states, strict=True):
            whole = f"of {readable(source.bytes)}" if source.bytes else ""
            line = f"  {source.name:<{width}}  {state:<16}  {readable(size):>7}  {whole}"
            lines.append(line.rstrip())
    return lines


def readable(size: float) -> str:
    """A number of bytes in the unit that suits it."""
    for unit in ("B", "kB", "MB"):
        if round(size) < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
