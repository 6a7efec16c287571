"""One self-contained page of a study: what it found, what it says to the paper, how it was made."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup

from ptnl.analysis.html_tables import html
from ptnl.analysis.inline_svg import inline_svg, palette
from ptnl.analysis.text_tables import markdown_table
from ptnl.analysis.verdicts import FAILS, HOLDS, UNDECIDED, UNJUDGED
from ptnl.data import title_of
from ptnl.schemas import rows_of
from ptnl.study.layouts import EIGHT, FIGURES

CLAIMS_DETAIL = "\n## How a verdict is reached"  # what stands before it fits on a screen
FORMATS = ("svg", "pdf", "png")


@dataclass(frozen=True)
class DataSetDetails:
    """What a study found on one data set beside accuracies; texts are Markdown."""

    mistakes: str
    classes: str
    figures: Mapping[str, tuple[str, bytes]]  # title -> name of the file, SVG


@dataclass(frozen=True)
class Report:
    """The parts of a report; texts are Markdown, figures SVG."""

    study: str
    shots: int | str  # as the config says it
    overview: str
    overview_figure: bytes
    seeds: str
    details: Mapping[str, DataSetDetails]  # by data set
    hard_images: pd.DataFrame = field(repr=False)  # see `ptnl.schemas.HARD_IMAGES`
    verdicts: pd.DataFrame = field(repr=False)  # see `ptnl.schemas.CLAIMS`
    claims: str
    tables: Mapping[int, str]
    later: Mapping[str, str]  # name of a file -> what is said of later methods
    figures: Mapping[int, bytes]
    unfilled: Sequence[str]  # sentences: what of the paper the study cannot fill
    data: Mapping[str, str]  # name of a file -> what is said of the data sets
    noise: str
    settings: str
    config: str  # YAML
    cost: str
    versions: Mapping[str, str]  # of the libraries that made the page
    runs: pd.DataFrame = field(repr=False)  # see `ptnl.schemas.RUNS`


def environment(runs: pd.DataFrame, versions: Mapping[str, str]) -> str:
    """What computed the runs and what made the page; as Markdown."""
    by = runs.groupby(["commit", "torch", "device"], as_index=False).size()
    computed = markdown_table(["Commit", "torch", "Device", "Runs"], rows_of(by), "lllr")
    libraries = markdown_table(["Library", "Version"], versions.items(), "ll")
    return (
        f"What computed the runs.\n\n{computed}\n\n"
        f"What made the tables, the figures and this page.\n\n{libraries}\n"
    )


LOSS = (
    "How much accuracy do methods on top of a vision-language model lose when training labels are "
    "wrong?"
)
AS_THEY_ARE = (
    "How accurate are methods on top of a vision-language model that train on the labels as they "
    "are?"
)


def question(runs: pd.DataFrame) -> str:
    """What the study asks."""
    return LOSS if runs.fp.any() else AS_THEY_ARE


def introduction(runs: pd.DataFrame, shots: int | str) -> str:
    """What the study is, in two sentences.

    shots : as the config says it, a number or `all`
    """
    trained_on = "every training image" if shots == "all" else f"{shots} images a class"

    def counted(names: pd.Series, noun: str) -> str:
        return f"{names.nunique()} {noun}{'' if names.nunique() == 1 else 's'}"

    return (
        f"{len(runs):,} runs on {counted(runs.dataset, 'data set')} "
        f"({', '.join(dict.fromkeys(runs.dataset))}) with {counted(runs.backbone, 'backbone')} "
        f"({', '.join(dict.fromkeys(runs.backbone))}), {counted(runs.method, 'method')}, "
        f"trained on {trained_on}. Accuracies are top-1 on the test split after the last epoch; "
        "nothing was chosen on it."
    )


def world(datasets: Iterable[str], is_judged: bool) -> str:
    """Whether the study ran on the paper's data sets or on others, in one sentence.

    is_judged : whether it can check any claim of the paper
    """
    own = [title_of(name) for name in datasets if name not in EIGHT]
    if not own:
        return (
            "All data sets are the paper's. Where it prints a number, that number and ours minus "
            "it stand beside ours."
        )
    if len(own) < len(list(datasets)):
        return (
            f"{', '.join(own)}: not of the paper. On the other data sets, its printed numbers and "
            "ours minus them stand beside ours."
        )
    if not is_judged:
        return (
            "None of the data sets is the paper's, so the paper's numbers are not to be compared "
            "with these."
        )
    return (
        "None of the data sets is the paper's: the claims are checked on other images, and the "
        "paper's numbers are not to be compared with these."
    )


def verdicts_at_a_glance(verdicts: pd.DataFrame) -> list[dict[str, Any]]:
    """The verdicts, those reached first: what they are called, and the claims."""
    groups = []
    for verdict in (HOLDS, FAILS, UNDECIDED, UNJUDGED):
        rows = verdicts[verdicts.verdict == verdict]
        if len(rows):
            name = verdict.replace(" ", "-")
            groups.append({"verdict": verdict, "name": name, "claims": list(rows.statement)})
    return groups


def summary(verdicts: pd.DataFrame, has_wrong_labels: bool) -> str:
    """How many of the paper's claims hold, in one sentence."""
    counts = verdicts.verdict.value_counts()
    if not has_wrong_labels:
        return (
            "No label was made wrong, so the study says nothing about the paper's claims, which "
            "compare rates of wrong labels."
        )
    if set(counts.index) == {UNJUDGED}:
        return f"All {len(verdicts)} claims of the paper need more runs than this study has."
    words = {
        HOLDS: ("holds here", "hold here"),
        FAILS: ("does not hold", "do not hold"),
        UNDECIDED: ("is undecided", "are undecided"),
        UNJUDGED: ("needs more runs than this study has", "need more runs than this study has"),
    }
    said = [
        f"{counts[verdict]} {several if counts[verdict] > 1 else one}"
        for verdict, (one, several) in words.items()
        if verdict in counts
    ]
    return f"Of the paper's {len(verdicts)} claims, {', '.join(said)}."


def _picture(svg: bytes, name: str, title: str, number: int | None = None) -> dict[str, Any]:
    """A figure whose files lie in `figures/`."""
    label = f"Figure {number}: {title}" if number else title
    return {
        "title": title,
        "number": number,
        "label": label,
        "svg": Markup(inline_svg(svg, name, label)),
        "files": [f"figures/{name}.{kind}" for kind in FORMATS],
    }


def _hard(images: pd.DataFrame) -> list[dict[str, Any]]:
    """The images of one data set that all methods get wrong, as the template shows them."""
    return [
        {
            "image": row.image,
            "true": row.class_name,
            "predicted": row.predicted_class,
            "share": f"{row.agreeing} of {row.predictions}",
            "data": base64.b64encode(row.thumbnail).decode(),
        }
        for row in rows_of(images)
    ]


def render_report(report: Report) -> str:
    """The page (HTML), whole in one string; links lead to files beside it."""
    folder = files("ptnl.analysis") / "templates"
    template = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string((folder / "report.html.jinja").read_text(encoding="utf-8"))
    verdicts, sign, detail = report.claims.partition(CLAIMS_DETAIL)
    rates, has_wrong_labels = report.runs.fp.nunique(), bool(report.runs.fp.any())
    is_judged = bool((report.verdicts.verdict != UNJUDGED).any())
    shown = "Every method at every rate" if rates > 1 else "Accuracy of every method"
    headline = _picture(report.overview_figure, "overview", shown)
    details: list[dict[str, Any]] = []
    for name, part in report.details.items():
        hard = report.hard_images[report.hard_images.dataset == name]
        details.append(
            {
                "title": title_of(name),
                "name": name,
                "mistakes": html(part.mistakes),
                "classes": html(part.classes),
                "hard": _hard(hard),
                "hard_images": int(hard.hard.max()) if len(hard) else 0,
                "figures": [_picture(svg, file, t) for t, (file, svg) in part.figures.items()],
            }
        )
    figures = [
        _picture(svg, f"figure{number}", FIGURES[number].title, number)
        for number, svg in sorted(report.figures.items())
    ]
    drawn = [headline, *figures, *(figure for part in details for figure in part["figures"])]
    return template.render(
        study=report.study,
        introduction=introduction(report.runs, report.shots),
        world=world(report.details, is_judged),
        question=question(report.runs),
        summary=summary(report.verdicts, has_wrong_labels),
        is_judged=is_judged,
        claims_of_the_paper=len(report.verdicts),
        rates=rates,
        labels="Label noise" if has_wrong_labels else "Training labels",
        glance=verdicts_at_a_glance(report.verdicts),
        headline=headline,
        overview=html(report.overview),
        seeds=html(report.seeds),
        details=details,
        verdicts=html(verdicts.partition("\n")[2], "The paper's claims and what was found"),
        claims=html(sign + detail),
        unfilled=report.unfilled,
        tables=[(number, html(text)) for number, text in sorted(report.tables.items())],
        later=[(file, html(text)) for file, text in report.later.items()],
        figures=figures,
        data=[(file, html(text)) for file, text in report.data.items()],
        noise=html(report.noise),
        settings=html(report.settings),
        config=report.config,
        cost=html(report.cost),
        environment=html(environment(report.runs, report.versions)),
        palette=palette(figure["svg"] for figure in drawn),
        script=Markup((folder / "sortable-tablesort.min.js").read_text(encoding="utf-8")),
    )
