"""Select the test images that every method gets wrong, with a thumbnail of each."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.analysis.predictions import hard_images
from ptnl.cli.entry import add_background, parser, start
from ptnl.features.thumbnails import thumbnail
from ptnl.io import read_parquet, write_parquet
from ptnl.provenance import made_by
from ptnl.schemas import HARD_IMAGES, PREDICTIONS, rows_of

SIDE = 64  # pixels of a thumbnail


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--predictions", type=Path, required=True, help="Parquet")
    arguments.add_argument("--backbone", required=True, help="primary backbone")
    arguments.add_argument("--datasets", nargs="+", required=True)
    arguments.add_argument(
        "--receipts",
        type=Path,
        nargs="+",
        required=True,
        help="receipts that download_dataset wrote, one per data set; the images lie beside them",
    )
    add_background(arguments)
    arguments.add_argument("--out", type=Path, required=True, help="selected images (Parquet)")
    args = arguments.parse_args(argv)

    places = dict(zip(args.datasets, args.receipts, strict=True))
    found = hard_images(read_parquet(args.predictions, PREDICTIONS), args.backbone)
    files = [places[row.dataset].parent / "images" / row.image for row in rows_of(found)]
    found = found.assign(thumbnail=[thumbnail(file, SIDE, args.transparent_on) for file in files])
    write_parquet(found, args.out, HARD_IMAGES, made_by("pandas", "pillow"))


if __name__ == "__main__":
    start(main)
