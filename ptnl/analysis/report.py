"""One self-contained page of a study: what it found, what it says to the paper, how it was made."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import jinja2
import pandas as pd
from markdown_it import MarkdownIt
from markupsafe import Markup

from ptnl.analysis.text_tables import markdown_table
from ptnl.data import title_of
from ptnl.schemas import rows_of
from ptnl.study.layouts import FIGURES

CLAIMS_DETAIL = "\n## How a verdict is reached"  # what stands before it fits on a screen


def _html(markdown: str) -> Markup:
    return Markup(MarkdownIt().enable("table").render(markdown))


@dataclass(frozen=True)
class DataSetDetails:
    """What a study found on one data set beside accuracies."""

    mistakes: str  # Markdown
    figures: Mapping[str, bytes]  # title -> SVG


@dataclass(frozen=True)
class Report:
    """The parts of a report; texts are Markdown, figures SVG."""

    study: str
    overview: str
    overview_figure: bytes
    details: Mapping[str, DataSetDetails]  # by data set
    claims: str
    tables: Mapping[int, str]
    ranks: str  # of later methods; empty in a study without them
    figures: Mapping[int, bytes]
    unfilled: Sequence[str]  # sentences: what of the paper the study cannot fill
    data: Sequence[str]
    noise: str
    settings: str
    cost: str
    runs: pd.DataFrame = field(repr=False)  # see `ptnl.schemas.RUNS`


def environment(runs: pd.DataFrame) -> str:
    """What computed the runs: code, torch, device; as Markdown."""
    by = runs.groupby(["commit", "torch", "device"], as_index=False).size()
    rows = rows_of(by)
    return markdown_table(["Commit", "torch", "Device", "Runs"], rows, "lllr")


def introduction(runs: pd.DataFrame) -> str:
    """What the study is, in two sentences."""

    def counted(names: pd.Series, noun: str) -> str:
        return f"{names.nunique()} {noun}{'' if names.nunique() == 1 else 's'}"

    return (
        f"{len(runs):,} runs on {counted(runs.dataset, 'data set')} "
        f"({', '.join(dict.fromkeys(runs.dataset))}) with {counted(runs.backbone, 'backbone')} "
        f"({', '.join(dict.fromkeys(runs.backbone))}), {counted(runs.method, 'method')}, "
        f"{runs.shots.max()} shots. Accuracies are top-1 on the test split after the last epoch; "
        "nothing was chosen on it."
    )


def _picture(title: str, svg: bytes, number: int | None = None) -> dict[str, Any]:
    return {"number": number, "title": title, "data": base64.b64encode(svg).decode()}


def render_report(report: Report) -> str:
    """The page (HTML), whole in one string; links lead to files beside it."""
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        files("ptnl.analysis").joinpath("templates/report.html.jinja").read_text()
    )
    verdicts, sign, detail = report.claims.partition(CLAIMS_DETAIL)
    return template.render(
        study=report.study,
        introduction=introduction(report.runs),
        overview=_html(report.overview),
        overview_figure=_picture("Every method at every rate", report.overview_figure),
        details=[
            {
                "title": title_of(name),
                "name": name,
                "mistakes": _html(part.mistakes),
                "figures": [_picture(title, svg) for title, svg in part.figures.items()],
            }
            for name, part in report.details.items()
        ],
        verdicts=_html(verdicts.partition("\n")[2]),  # without its title
        claims=_html(sign + detail),
        unfilled=report.unfilled,
        tables=[(number, _html(text)) for number, text in sorted(report.tables.items())],
        ranks=_html(report.ranks),
        figures=[
            _picture(FIGURES[number].title, svg, number)
            for number, svg in sorted(report.figures.items())
        ],
        data=[_html(text) for text in report.data],
        noise=_html(report.noise),
        settings=_html(report.settings),
        cost=_html(report.cost),
        environment=_html(environment(report.runs)),
    )
