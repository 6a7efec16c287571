"""Give some images of a draw wrong labels; print the rates that this really gives."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ptnl.cli.entry import parser, start
from ptnl.errors import InputError
from ptnl.io import read_metadata, read_parquet, write_parquet
from ptnl.labels.noise import NOISES, Request
from ptnl.provenance import made_by
from ptnl.schemas import MANIFEST, NOISY_SHOTS, PSEUDO_LABELS, SHOTS


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--manifest", type=Path, required=True)
    arguments.add_argument("--shots", type=Path, required=True, help="few-shot draw (Parquet)")
    arguments.add_argument("--noise", choices=NOISES, required=True)
    arguments.add_argument(
        "--fp",
        type=int,
        nargs="+",
        required=True,
        help="numbers of wrong labels per class, one per output file",
    )
    arguments.add_argument("--seed", type=int, required=True)
    arguments.add_argument(
        "--pseudolabels",
        type=Path,
        nargs="?",  # no value for kinds that need no predictions
        help="zero-shot predictions, for the kinds that need them",
    )
    arguments.add_argument(
        "--favoured-by",
        choices=("image", "class"),
        default="image",
        help="whether confusion noise chooses the wrong class per image or per class",
    )
    arguments.add_argument(
        "--out",
        type=Path,
        nargs="+",
        required=True,
        help="labelled draws (Parquet), one per number of wrong labels",
    )
    args = arguments.parse_args(argv)

    if len(args.fp) != len(args.out):
        raise InputError(f"{len(args.fp)} --fp for {len(args.out)} --out")
    kind = NOISES[args.noise]
    if kind.needs_pseudolabels and args.pseudolabels is None:
        raise InputError(f"{args.noise} noise needs --pseudolabels")
    shots = read_metadata(args.shots)["settings"]["shots"]
    request = Request(
        manifest=read_parquet(args.manifest, MANIFEST),
        draw=read_parquet(args.shots, SHOTS),
        shots=shots,
        fp=0,
        seed=args.seed,
        pseudolabels=args.pseudolabels and read_parquet(args.pseudolabels, PSEUDO_LABELS),
        favoured_by=args.favoured_by,
    )
    for fp, out in zip(args.fp, args.out, strict=True):
        labelled = kind.label(replace(request, fp=fp))
        wrong = 100 * labelled.is_noisy.mean()
        print(f"fp {fp}: {wrong:.2f} % of {len(labelled)} labels are wrong")
        metadata = made_by("numpy", noise=args.noise, fp=fp, seed=args.seed, shots=shots)
        write_parquet(labelled, out, NOISY_SHOTS, metadata)


if __name__ == "__main__":
    start(main)
