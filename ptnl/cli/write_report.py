"""Write the report of a study: one page with overview, claims, tables, figures, settings, cost."""

import re
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import yaml

from ptnl.analysis.details import at_most_noise, classes_markdown
from ptnl.analysis.overview import seeds_markdown
from ptnl.analysis.report import DataSetDetails, Report, render_report
from ptnl.analysis.settings_report import settings_markdown
from ptnl.cli.entry import parser, start
from ptnl.data import title_of
from ptnl.io import read_parquet, write_text
from ptnl.provenance import libraries
from ptnl.schemas import CLASS_ACCURACY, HARD_IMAGES, RUNS
from ptnl.study.layouts import unfilled

# Figures of a data set: name of the option -> title.
DETAILS = {
    "class": "Accuracy of every class",
    "confusion": "Classes that are confused",
    "learning": "Accuracy on the training shots over epochs",
}
LIBRARIES = ("jinja2", "markdown-it-py", "matplotlib", "numpy", "pandas", "pyarrow", "scipy")


def _number(path: Path) -> int:
    return int(re.findall(r"\d+", path.stem)[-1])


def _with_csv(paths: Sequence[Path]) -> dict[str, str]:
    """Name of the CSV beside each Markdown file -> the Markdown."""
    return {path.with_suffix(".csv").name: path.read_text() for path in paths}


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser(__doc__)
    arguments.add_argument(
        "--config", type=Path, required=True, help="the study's whole config (YAML)"
    )
    arguments.add_argument("--runs", type=Path, required=True, help="run table (Parquet)")
    arguments.add_argument("--overview", type=Path, required=True, help="Markdown")
    arguments.add_argument("--overview-figure", type=Path, required=True, help="SVG")
    for kind in DETAILS:
        arguments.add_argument(
            f"--{kind}-figures",
            type=Path,
            nargs="+",
            required=True,
            help="SVG files, one per data set",
        )
    arguments.add_argument(
        "--classes",
        type=Path,
        nargs="+",
        required=True,
        help="accuracies per class (Parquet), one per data set",
    )
    arguments.add_argument(
        "--mistakes", type=Path, nargs="+", required=True, help="Markdown files, one per data set"
    )
    arguments.add_argument(
        "--hard-images",
        type=Path,
        required=True,
        help="test images that all methods get wrong (Parquet)",
    )
    arguments.add_argument("--tables", type=Path, nargs="*", default=[], help="tableN.md")
    arguments.add_argument(
        "--ranks", type=Path, nargs="*", default=[], help="ranks of later methods (Markdown)"
    )
    arguments.add_argument("--figures", type=Path, nargs="*", default=[], help="figureN.svg")
    arguments.add_argument("--claims", type=Path, required=True, help="Markdown")
    arguments.add_argument(
        "--verdicts", type=Path, required=True, help="verdicts on the claims (CSV)"
    )
    arguments.add_argument(
        "--data", type=Path, nargs="+", required=True, help="pages on the data sets (Markdown)"
    )
    arguments.add_argument("--noise", type=Path, required=True, help="Markdown")
    arguments.add_argument("--cost", type=Path, required=True, help="Markdown")
    arguments.add_argument("--out", type=Path, required=True, help="HTML")
    args = arguments.parse_args(argv)

    config_text = args.config.read_text()
    config = yaml.safe_load(config_text)
    backbone, noise = config["primary_backbone"], config["random_noise"]
    figures = zip(*(vars(args)[f"{kind}_figures"] for kind in DETAILS), strict=True)
    details = {}
    for dataset, classes, mistakes, drawn in zip(
        config["datasets"], args.classes, args.mistakes, figures, strict=True
    ):
        accuracy = at_most_noise(read_parquet(classes, CLASS_ACCURACY), backbone, noise)
        details[dataset] = DataSetDetails(
            mistakes=mistakes.read_text(),
            classes=classes_markdown(accuracy, title_of(dataset), noise),
            figures={
                title: (path.stem, path.read_bytes())
                for title, path in zip(DETAILS.values(), drawn, strict=True)
            },
        )
    runs = read_parquet(args.runs, RUNS)
    report = Report(
        study=config["study"],
        shots=config["shots"],
        runs=runs,
        overview=args.overview.read_text(),
        overview_figure=args.overview_figure.read_bytes(),
        seeds=seeds_markdown(runs),
        details=details,
        hard_images=read_parquet(args.hard_images, HARD_IMAGES),
        verdicts=pd.read_csv(args.verdicts),
        claims=args.claims.read_text(),
        tables={_number(path): path.read_text() for path in args.tables},
        figures={_number(path): path.read_bytes() for path in args.figures},
        later=_with_csv(args.ranks),
        unfilled=unfilled(config),
        data=_with_csv(args.data),
        noise=args.noise.read_text(),
        settings=settings_markdown(config),
        config=config_text,
        cost=args.cost.read_text(),
        versions=libraries(*LIBRARIES),
    )
    write_text(render_report(report), args.out)


if __name__ == "__main__":
    start(main)
