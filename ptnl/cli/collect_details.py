"""Collect accuracies per class, mistakes and learning curves from the runs of a data set."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.analysis.details import class_results, learning_curves
from ptnl.cli.entry import parser, start
from ptnl.cli.listed import add_listed
from ptnl.io import read_json, read_parquet, write_parquet
from ptnl.provenance import made_by
from ptnl.schemas import CLASS_ACCURACY, CURVES, HISTORY, MANIFEST, MISTAKES
from ptnl.training.run_files import class_names_of, read_logits, split_of

SHOWN = {name: kind for name, kind in HISTORY.items() if name in CURVES}


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    add_listed(arguments, "--runs", "folders of runs")
    arguments.add_argument(
        "--manifest", type=Path, required=True, help="manifest of their data set (Parquet)"
    )
    arguments.add_argument(
        "--classes", type=Path, required=True, help="accuracies per class (Parquet)"
    )
    arguments.add_argument(
        "--mistakes", type=Path, required=True, help="pairs of classes that were confused (Parquet)"
    )
    arguments.add_argument("--curves", type=Path, required=True, help="learning curves (Parquet)")
    args = arguments.parse_args(argv)

    manifest = read_parquet(args.manifest, MANIFEST)
    metrics = [read_json(folder / "metrics.json") for folder in args.runs]
    accuracy, mistakes = class_results(
        metrics,
        (read_logits(folder).argmax(axis=1) for folder in args.runs),
        split_of(manifest, "test")[1].numpy(),
        class_names_of(manifest),
    )
    files = [folder / "history.parquet" for folder in args.runs]
    trained = [(run, file) for run, file in zip(metrics, files, strict=True) if file.exists()]
    curves = learning_curves(
        [run for run, _ in trained], [read_parquet(file, SHOWN) for _, file in trained]
    )
    made = made_by("numpy", "pandas")
    write_parquet(accuracy, args.classes, CLASS_ACCURACY, made)
    write_parquet(mistakes, args.mistakes, MISTAKES, made)
    write_parquet(curves, args.curves, CURVES, made)


if __name__ == "__main__":
    start(main)
