"""Show which archives of the data sets are there, fetch missing ones, or verify them."""

import argparse
import glob
from collections.abc import Sequence
from pathlib import Path

from ptnl.cli.entry import parser, start
from ptnl.data.changes import refresh
from ptnl.errors import InputError
from ptnl.fetch.archive_status import archives_folder, chosen, table
from ptnl.fetch.checksums import verify
from ptnl.fetch.download import fetch, say
from ptnl.fetch.sources import Source, load_sources

ACTIONS = {
    "status": "show which files are there, partial or missing, and where",
    "fetch": "download missing files, or take them from DATA_ROOT/manual; optional files, and "
    "those that only you can put there, only if they are named",
    "verify": "compute all checksums again; if files are bad, name them and exit with status 2",
    "refresh": "let the next run unpack and index the named data sets again, your own too, without "
    "fetching files again",
}


def fetch_all(sources: Sequence[Source], data_root: Path) -> None:
    """Fetch the files one by one; failures do not stop the others, and are named at the end."""
    failed = []
    for source in sources:
        folder = archives_folder(data_root, source.dataset)
        try:
            print(fetch(source, folder, data_root / "manual"))
        except InputError as error:
            say(str(error))
            failed.append(source.name)
    if failed:
        raise InputError(f"{len(failed)} of {len(sources)} files failed: {', '.join(failed)}")


def verify_all(sources: Sequence[Source], data_root: Path) -> None:
    """Verify every file that is there; an `InputError` names the bad ones."""
    paths = {s: archives_folder(data_root, s.dataset) / s.name for s in sources}
    there = {source: path for source, path in paths.items() if path.is_file()}
    bad = []
    for source, path in there.items():
        wrong = verify(source, path)
        print(f"{path}: {wrong or 'right'}")
        if wrong:
            bad.append(source.name)
    print(f"{len(there)} of {len(sources)} files are there, {len(there) - len(bad)} are right")
    if bad:
        raise InputError(f"bad files: {', '.join(bad)}; delete them, then `ptnl data fetch`")


def places_of(data_root: Path, name: str) -> list[Path]:
    """The folders of a data set: studies that use different images of it have one each."""
    special = sorted(data_root.glob(f"{glob.escape(name)}@*"))
    usual = data_root / name
    return [usual, *special] if usual.is_dir() or not special else special


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "names", metavar="NAME", nargs="*", help="data sets or files (default: all)"
    )
    shared.add_argument(
        "--data-root",
        metavar="DIR",
        type=Path,
        default=Path("results/data"),
        help="data_root of the config (default: results/data)",
    )
    shared.add_argument(
        "--sources",
        metavar="YAML",
        type=Path,
        nargs="+",
        default=[],
        help="tables like ptnl/fetch/sources.yaml, whose entries replace those of the same name",
    )
    actions = arguments.add_subparsers(dest="action", required=True)
    for name, purpose in ACTIONS.items():
        actions.add_parser(name, parents=[shared], help=purpose, description=purpose)
    args = arguments.parse_args(argv)

    if args.action == "refresh":
        if not args.names:
            raise InputError("name the data sets to refresh")
        for name in args.names:
            for place in places_of(args.data_root, name):
                refresh(place / "receipt.json")
        return
    sources = chosen(load_sources(*args.sources), args.names)
    if args.action == "status":
        print("\n".join(table(sources, args.data_root)))
        print(f"`ptnl data fetch NAME` also takes what you put into {args.data_root / 'manual'}")
    elif args.action == "verify":
        verify_all(sources, args.data_root)
    else:
        named = {source for source in sources if source.name in args.names}
        usual = {source for source in sources if source.urls and not source.optional}
        fetch_all([s for s in sources if s in named | usual], args.data_root)


if __name__ == "__main__":
    start(main)
