"""Draw the labelled images of a seed: K per class for training, min(K, 4) for validation."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.cli.entry import number_of_shots, parser, start
from ptnl.io import read_parquet, write_parquet
from ptnl.labels.sampling import draw_shots, images_per_class
from ptnl.provenance import made_by
from ptnl.schemas import MANIFEST, SHOTS


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--manifest", type=Path, required=True)
    arguments.add_argument(
        "--shots", type=number_of_shots, required=True, help="images per class, or all"
    )
    arguments.add_argument("--seed", type=int, required=True)
    arguments.add_argument("--out", type=Path, required=True, help="few-shot draw (Parquet)")
    args = arguments.parse_args(argv)

    manifest = read_parquet(args.manifest, MANIFEST)
    drawn = draw_shots(manifest, args.shots, args.seed)
    shots = args.shots or images_per_class(manifest)
    metadata = made_by("pandas", shots=shots, seed=args.seed)
    write_parquet(drawn, args.out, SHOTS, metadata)


if __name__ == "__main__":
    start(main)
