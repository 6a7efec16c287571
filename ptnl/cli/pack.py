"""Pack the results of a study into one file, to work with the numbers elsewhere."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.analysis.packing import pack
from ptnl.cli.entry import parser, start


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("results", type=Path, help="results/<study>")
    arguments.add_argument("--out", type=Path, help="file to write (default: <study>.tar.gz here)")
    args = arguments.parse_args(argv)

    folder = args.results.resolve()
    file = args.out or Path(f"{folder.name}.tar.gz")
    files = pack(folder, file)
    print(f"{file}: {files:,} files, {file.stat().st_size / 1e6:,.1f} MB")
    print(f"`ptnl unpack {file.name}` puts it below results/ elsewhere")


if __name__ == "__main__":
    start(main)
