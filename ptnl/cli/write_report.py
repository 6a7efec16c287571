"""Write a study's report: one page with claims, tables, figures, data, cost and environment."""

import re
from collections.abc import Sequence
from pathlib import Path

from ptnl.analysis.report import render_report
from ptnl.cli.entry import parser, start
from ptnl.io import read_parquet, write_text
from ptnl.schemas import RUNS


def _number(path: Path) -> int:
    return int(re.findall(r"\d+", path.stem)[-1])


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--study", required=True)
    arguments.add_argument("--runs", type=Path, required=True, help="run table (Parquet)")
    arguments.add_argument("--tables", type=Path, nargs="*", default=[], help="tableN.md")
    arguments.add_argument(
        "--ranks", type=Path, nargs="*", default=[], help="of later methods, Markdown"
    )
    arguments.add_argument("--figures", type=Path, nargs="*", default=[], help="figureN.svg")
    arguments.add_argument("--claims", type=Path, required=True, help="Markdown")
    arguments.add_argument(
        "--data", type=Path, nargs="+", required=True, help="on the data sets, Markdown"
    )
    arguments.add_argument("--noise", type=Path, required=True, help="Markdown")
    arguments.add_argument("--cost", type=Path, required=True, help="Markdown")
    arguments.add_argument("--out", type=Path, required=True, help="HTML")
    args = arguments.parse_args(argv)

    report = render_report(
        args.study,
        read_parquet(args.runs, RUNS),
        {_number(path): path.read_text() for path in args.tables},
        {_number(path): path.read_bytes() for path in args.figures},
        args.claims.read_text(),
        [path.read_text() for path in args.data],
        args.noise.read_text(),
        args.cost.read_text(),
        "\n".join(path.read_text() for path in args.ranks),
    )
    write_text(report, args.out)


if __name__ == "__main__":
    start(main)
