"""Check the paper's claims on a study's runs: a verdict and an interval for each."""

from collections.abc import Sequence
from pathlib import Path

from ptnl.analysis.claims_text import claims_markdown
from ptnl.analysis.published import published
from ptnl.analysis.verdicts import check_claims, claims_table
from ptnl.cli.entry import parser, start
from ptnl.io import read_parquet, write_parquet, write_text
from ptnl.provenance import made_by
from ptnl.schemas import CLAIMS, GRADIENTS, RUNS


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--runs", type=Path, required=True, help="run table (Parquet)")
    arguments.add_argument(
        "--gradients",
        type=Path,
        nargs="?",
        help="gradient norms (Parquet), if the study measured any",
    )
    arguments.add_argument("--backbone", required=True, help="primary backbone")
    arguments.add_argument("--study", required=True, help="name of the study, for the title")
    arguments.add_argument(
        "--random-noise", required=True, help="kind of noise that replaces the paper's random noise"
    )
    arguments.add_argument(
        "--out", type=Path, nargs="+", required=True, help="files that end in .md, .csv or .parquet"
    )
    args = arguments.parse_args(argv)

    runs = read_parquet(args.runs, RUNS)
    gradients = read_parquet(args.gradients, GRADIENTS) if args.gradients else None
    findings = check_claims(runs, gradients, args.backbone, args.random_noise)
    table = claims_table(findings)
    markdown = claims_markdown(findings, published(), args.study, args.backbone, args.random_noise)
    made = made_by("numpy", "pandas", "scipy")
    write = {
        ".md": lambda path: write_text(markdown, path),
        ".csv": lambda path: write_text(table.to_csv(index=False), path),
        ".parquet": lambda path: write_parquet(table, path, CLAIMS, made),
    }
    for path in args.out:
        write[path.suffix](path)


if __name__ == "__main__":
    start(main)
