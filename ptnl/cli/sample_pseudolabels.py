"""Choose pseudo-labelled training images, and print how many of their labels are right."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.cli.entry import number_of_shots, parser, start
from ptnl.errors import InputError
from ptnl.io import read_parquet, write_parquet
from ptnl.labels.pseudo_labels import SELECTIONS, pseudo_shots
from ptnl.provenance import made_by
from ptnl.schemas import NOISY_SHOTS, PSEUDO_LABELS


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--labels", type=Path, required=True, help="pseudo-labels (Parquet)")
    arguments.add_argument("--selection", choices=SELECTIONS, required=True)
    arguments.add_argument(
        "--shots", type=number_of_shots, required=True, help="images per predicted class, or all"
    )
    arguments.add_argument(
        "--seed", type=int, nargs="+", required=True, help="seeds, one per output file"
    )
    arguments.add_argument(
        "--out", type=Path, nargs="+", required=True, help="draws (Parquet), one per seed"
    )
    args = arguments.parse_args(argv)
    if len(args.seed) != len(args.out):
        raise InputError(f"{len(args.seed)} --seed for {len(args.out)} --out")

    pseudo_labels = read_parquet(args.labels, PSEUDO_LABELS)
    for seed, out in zip(args.seed, args.out, strict=True):
        at_most = args.shots or len(pseudo_labels)
        chosen = pseudo_shots(pseudo_labels, args.selection, at_most, seed)
        if chosen.empty:
            raise InputError(f"{args.labels}: no training images to choose from")
        print(
            f"seed {seed}: {len(chosen)} images of {chosen.label.nunique()} predicted classes, "
            f"{100 * (1 - chosen.is_noisy.mean()):.2f} % of them labelled right"
        )
        shots = args.shots or round(len(chosen) / chosen.label.nunique())
        metadata = made_by("numpy", noise=args.selection, fp=0, seed=seed, shots=shots)
        write_parquet(chosen, out, NOISY_SHOTS, metadata)


if __name__ == "__main__":
    start(main)
