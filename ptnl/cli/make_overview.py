"""Write the overview of a study, every method at every rate, as tables and as a figure."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from ptnl.analysis.figures.overview import overview_figure
from ptnl.analysis.figures.style import save
from ptnl.analysis.overview import latex, markdown, overview_table
from ptnl.analysis.tables import Origin
from ptnl.cli.entry import parser, start
from ptnl.io import atomic_path, read_parquet, write_text
from ptnl.schemas import RANDOM_PROMPTS, RUNS


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--runs", type=Path, required=True, help="run table (Parquet)")
    arguments.add_argument(
        "--random-prompts",
        type=Path,
        nargs="*",
        default=[],
        help="accuracies of random prompts (Parquet)",
    )
    arguments.add_argument("--baseline", required=True, help="method to compare the others with")
    arguments.add_argument("--backbone", required=True, help="primary backbone")
    arguments.add_argument("--study", required=True, help="name of the study, for the caption")
    arguments.add_argument(
        "--protocol", required=True, help="protocol of the study, for the caption"
    )
    arguments.add_argument(
        "--out",
        type=Path,
        nargs="+",
        required=True,
        help="files that end in .csv, .md, .tex, .svg, .pdf or .png",
    )
    args = arguments.parse_args(argv)

    draws = [read_parquet(path, RANDOM_PROMPTS) for path in args.random_prompts]
    overview = overview_table(
        read_parquet(args.runs, RUNS),
        pd.concat(draws) if draws else pd.DataFrame(columns=list(RANDOM_PROMPTS)),
        args.baseline,
    )
    origin = Origin(args.study, args.protocol, args.backbone)
    texts = {
        ".csv": lambda: overview.to_csv(index=False),
        ".md": lambda: markdown(overview, origin),
        ".tex": lambda: latex(overview, origin),
    }
    figure = overview_figure(overview, origin)
    for path in args.out:
        if path.suffix in texts:
            write_text(texts[path.suffix](), path)
            continue
        with atomic_path(path) as temporary:
            save(figure, temporary, path.suffix[1:])


if __name__ == "__main__":
    start(main)
