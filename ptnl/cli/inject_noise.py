"""Give some images of a draw wrong labels; the realised rate is printed, not assumed."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ptnl.cli.entry import parser, start
from ptnl.io import read_metadata, read_parquet, write_parquet
from ptnl.noise import NOISES
from ptnl.provenance import made_by
from ptnl.schemas import NOISY_SHOTS, SHOTS


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--shots", type=Path, required=True, help="the draw (Parquet)")
    arguments.add_argument("--noise", choices=NOISES, required=True)
    arguments.add_argument("--fp", type=int, required=True, help="wrong labels per class")
    arguments.add_argument("--seed", type=int, required=True)
    arguments.add_argument("--out", type=Path, required=True)
    args = arguments.parse_args(argv)

    drawn = read_parquet(args.shots, SHOTS)
    train = drawn[drawn.split == "train"]
    clean = train.label.to_numpy()
    noisy = NOISES[args.noise](clean, int(drawn.label.max()) + 1, args.fp, args.seed)
    labelled = pd.DataFrame(
        {"image": train.image, "label_clean": clean, "label": noisy, "is_noisy": noisy != clean}
    )
    print(f"{100 * labelled.is_noisy.mean():.2f} % of {len(labelled)} labels are wrong")
    shots = read_metadata(args.shots)["settings"]["shots"]
    metadata = made_by("numpy", noise=args.noise, fp=args.fp, seed=args.seed, shots=shots)
    write_parquet(labelled, args.out, NOISY_SHOTS, metadata)


if __name__ == "__main__":
    start(main)
