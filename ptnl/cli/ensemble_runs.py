"""Average the test logits of the seeds of each sweep, as UPL does, and measure their accuracy."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.analysis.aggregate import ensemble_accuracy
from ptnl.analysis.metrics import read_metrics
from ptnl.cli.entry import parser, start
from ptnl.cli.listed import add_listed
from ptnl.io import read_parquet, write_parquet
from ptnl.provenance import made_by
from ptnl.schemas import ENSEMBLES, MANIFEST
from ptnl.training.run_files import read_logits, split_of


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    add_listed(arguments, "--runs", "folders of runs")
    arguments.add_argument(
        "--manifests",
        type=Path,
        nargs="+",
        required=True,
        help="manifests of their data sets, named DATASET.parquet",
    )
    arguments.add_argument("--out", type=Path, required=True)
    args = arguments.parse_args(argv)

    labels = {
        path.stem: split_of(read_parquet(path, MANIFEST), "test")[1].numpy()
        for path in args.manifests
    }
    metrics = read_metrics([folder / "metrics.json" for folder in args.runs])
    ensembles = ensemble_accuracy(metrics, map(read_logits, args.runs), labels)
    write_parquet(ensembles, args.out, ENSEMBLES, made_by("numpy", "pandas"))


if __name__ == "__main__":
    start(main)
