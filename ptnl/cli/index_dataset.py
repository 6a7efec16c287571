"""Write a data set's manifest: every image with its label, class name and split."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from ptnl.cli.entry import parser, start
from ptnl.data import DATASETS
from ptnl.errors import InputError
from ptnl.io import read_json, write_parquet
from ptnl.provenance import made_by
from ptnl.schemas import MANIFEST


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--dataset", choices=DATASETS, required=True)
    arguments.add_argument("--receipt", type=Path, required=True, help="of download_dataset")
    arguments.add_argument("--out", type=Path, required=True, help="manifest (Parquet)")
    args = arguments.parse_args(argv)

    receipt = read_json(args.receipt)
    manifest = import_module(f"ptnl.data.{DATASETS[args.dataset].module}").index(args.dataset)
    absent = [i for i in manifest.image if not (args.receipt.parent / "images" / i).is_file()]
    if absent:
        raise InputError(
            f"{args.receipt.parent / 'images' / absent[0]}: missing, as are {len(absent) - 1} "
            f"other images; delete {args.receipt} to fetch them again"
        )
    metadata = made_by("pandas", "pyarrow", dataset=args.dataset, receipt=receipt)
    write_parquet(manifest, args.out, MANIFEST, metadata)


if __name__ == "__main__":
    start(main)
