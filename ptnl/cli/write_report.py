"""Write a study's report: one page with overview, claims, tables, figures, settings and cost."""

import re
from collections.abc import Sequence
from pathlib import Path

import yaml

from ptnl.analysis.report import DataSetDetails, Report, render_report
from ptnl.analysis.settings_report import settings_markdown
from ptnl.cli.entry import parser, start
from ptnl.io import read_parquet, write_text
from ptnl.schemas import RUNS
from ptnl.study.layouts import unfilled


def _number(path: Path) -> int:
    return int(re.findall(r"\d+", path.stem)[-1])


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument("--config", type=Path, required=True, help="the resolved one (YAML)")
    arguments.add_argument("--runs", type=Path, required=True, help="run table (Parquet)")
    arguments.add_argument("--overview", type=Path, required=True, help="Markdown")
    arguments.add_argument("--overview-figure", type=Path, required=True, help="SVG")
    for kind in ("class", "confusion", "learning"):
        arguments.add_argument(
            f"--{kind}-figures", type=Path, nargs="+", required=True, help="SVG, one a data set"
        )
    arguments.add_argument(
        "--mistakes", type=Path, nargs="+", required=True, help="Markdown, one a data set"
    )
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

    config = yaml.safe_load(args.config.read_text())
    details = {
        dataset: DataSetDetails(
            mistakes.read_text(),
            {
                "Accuracy of every class": classes.read_bytes(),
                "What is taken for what": confusion.read_bytes(),
                "Accuracy on the training shots over epochs": learning.read_bytes(),
            },
        )
        for dataset, mistakes, classes, confusion, learning in zip(
            config["datasets"],
            args.mistakes,
            args.class_figures,
            args.confusion_figures,
            args.learning_figures,
            strict=True,
        )
    }
    report = Report(
        study=config["study"],
        runs=read_parquet(args.runs, RUNS),
        overview=args.overview.read_text(),
        overview_figure=args.overview_figure.read_bytes(),
        details=details,
        claims=args.claims.read_text(),
        tables={_number(path): path.read_text() for path in args.tables},
        figures={_number(path): path.read_bytes() for path in args.figures},
        ranks="\n".join(path.read_text() for path in args.ranks),
        unfilled=unfilled(config),
        data=[path.read_text() for path in args.data],
        noise=args.noise.read_text(),
        settings=settings_markdown(config),
        cost=args.cost.read_text(),
    )
    write_text(render_report(report), args.out)


if __name__ == "__main__":
    start(main)
