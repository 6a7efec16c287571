"""Draw the labelled images of a seed: K per class to train on, min(K, 4) to validate with."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.cli.entry import parser, start
from ptnl.io import read_parquet, write_parquet
from ptnl.labels.sampling import draw_shots
from ptnl.provenance import made_by
from ptnl.schemas import MANIFEST, SHOTS


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--manifest", type=Path, required=True)
    arguments.add_argument("--shots", type=int, required=True, help="images per class")
    arguments.add_argument("--seed", type=int, required=True)
    arguments.add_argument("--out", type=Path, required=True, help="the draw (Parquet)")
    args = arguments.parse_args(argv)

    drawn = draw_shots(read_parquet(args.manifest, MANIFEST), args.shots, args.seed)
    metadata = made_by("pandas", shots=args.shots, seed=args.seed)
    write_parquet(drawn, args.out, SHOTS, metadata)


if __name__ == "__main__":
    start(main)
