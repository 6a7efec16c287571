"""Write a table of the paper, filled with the study's numbers: CSV, Markdown and LaTeX."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ptnl.analysis.aggregate import summarise_draws
from ptnl.analysis.tables import Origin, latex, markdown, table_rows
from ptnl.cli.entry import parser, start
from ptnl.io import read_parquet, write_text
from ptnl.schemas import ENSEMBLES, RANDOM_PROMPTS, SUMMARY
from ptnl.study.layouts import TABLES


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--table", type=int, choices=TABLES, required=True)
    arguments.add_argument("--summary", type=Path, required=True)
    arguments.add_argument("--ensembles", type=Path, help="of a table that shows them (Parquet)")
    arguments.add_argument(
        "--random-prompts", type=Path, nargs="+", help="of a table that shows them (Parquet)"
    )
    arguments.add_argument("--backbone", required=True)
    arguments.add_argument("--study", required=True, help="name of the study, for the caption")
    arguments.add_argument(
        "--protocol", required=True, help="protocol of the study, for the caption"
    )
    arguments.add_argument(
        "--random-noise", required=True, help="kind of noise that replaces the paper's random noise"
    )
    arguments.add_argument(
        "--out", type=Path, nargs="+", required=True, help="files that end in .csv, .md or .tex"
    )
    args = arguments.parse_args(argv)

    layout = TABLES[args.table].with_random_noise(args.random_noise)
    summary = read_parquet(args.summary, SUMMARY)
    if args.random_prompts:
        draws = pd.concat([read_parquet(path, RANDOM_PROMPTS) for path in args.random_prompts])
        summary = pd.concat([summary, summarise_draws(draws)])
    ensembles = read_parquet(args.ensembles, ENSEMBLES) if args.ensembles else None
    rows = table_rows(summary, layout, args.table, args.backbone, ensembles, args.protocol)
    origin = Origin(args.study, args.protocol, args.backbone)
    render = {
        ".csv": lambda: rows.to_csv(index=False),
        ".md": lambda: markdown(rows, layout, args.table, origin),
        ".tex": lambda: latex(rows, layout, args.table, origin),
    }
    for path in args.out:
        write_text(render[path.suffix](), path)


if __name__ == "__main__":
    start(main)
