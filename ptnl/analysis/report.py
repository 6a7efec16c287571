"""One self-contained page of a study: claims, tables, figures, data, cost, environment."""

import base64
from collections.abc import Mapping, Sequence
from importlib.resources import files

import jinja2
import pandas as pd
from markdown_it import MarkdownIt
from markupsafe import Markup

from ptnl.analysis.text_tables import markdown_table
from ptnl.study.layouts import FIGURES


def _html(markdown: str) -> Markup:
    return Markup(MarkdownIt().enable("table").render(markdown))


def environment(runs: pd.DataFrame) -> str:
    """What computed the runs: code, torch, device; as Markdown."""
    by = runs.groupby(["commit", "torch", "device"], as_index=False).size()
    rows = by.itertuples(index=False)
    return markdown_table(["Commit", "torch", "Device", "Runs"], rows, "lllr")


def introduction(runs: pd.DataFrame) -> str:
    """What the study is, in two sentences."""
    return (
        f"{len(runs):,} runs on {runs.dataset.nunique()} data sets "
        f"({', '.join(dict.fromkeys(runs.dataset))}) with {runs.backbone.nunique()} backbones "
        f"({', '.join(dict.fromkeys(runs.backbone))}), {runs.method.nunique()} methods, "
        f"{runs.shots.max()} shots. Accuracies are top-1 on the test split after the last epoch; "
        "nothing was chosen on it."
    )


def render_report(
    study: str,
    runs: pd.DataFrame,
    tables: Mapping[int, str],
    figures: Mapping[int, bytes],
    claims: str,
    data: Sequence[str],
    noise: str,
    cost: str,
    ranks: str = "",
) -> str:
    """The page (HTML), whole in one string.

    Parameters
    ----------
    study : its name
    runs : see `ptnl.schemas.RUNS`
    tables : number -> Markdown
    figures : number -> SVG
    claims, data, noise, cost : Markdown
    ranks : Markdown, behind the tables; empty in a study without them
    """
    parts = ["Claims", "Tables", "Figures", "Data", "Label noise", "Cost", "Environment"]
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        files("ptnl.analysis").joinpath("templates/report.html.jinja").read_text()
    )
    return template.render(
        study=study,
        introduction=introduction(runs),
        contents=[(title, title.split()[-1].lower()) for title in parts],
        claims=_html(claims),
        tables=[_html(text) for text in [*(t for _, t in sorted(tables.items())), ranks] if text],
        figures=[
            {
                "number": number,
                "title": FIGURES[number].title,
                "data": base64.b64encode(svg).decode(),
            }
            for number, svg in sorted(figures.items())
        ],
        data=[_html(text) for text in data],
        noise=_html(noise),
        cost=_html(cost),
        environment=_html(environment(runs)),
    )
