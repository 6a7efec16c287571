"""The verdicts on the paper's claims as a page of Markdown. Pure functions of the findings."""

import pandas as pd

from ptnl.analysis.claims import (
    ACCURACY,
    RATIO,
    SEEDS_NEEDED,
    UNJUDGED,
    Finding,
    printed_difference,
)
from ptnl.data import title_of

HOW = f"""\
Every number is a difference that is **positive where the paper is right**. Runs of one seed share
their shots and, under one kind of noise, their wrong labels, so differences are taken seed by seed
within a data set; the estimate is the mean over data sets of the mean over seeds. The 95 % interval
is a bootstrap: seeds are resampled within each data set, because they are what chance decided; the
data sets stay as they are, because the verdict is about them and no others. Percentiles are widened
for few seeds (`ptnl/analysis/bootstrap.py`).

**Rule.** A claim *holds* if the interval of each of its comparisons lies above zero. Otherwise it
*does not hold*, be it that an interval contains zero or that the opposite was found. Where a run
is missing that it needs on any data set, or a data set has fewer than {SEEDS_NEEDED} seeds, there
are *not enough runs*. A claim of several comparisons is listed above with its weakest one."""

DETAIL = """\
Verdicts rest on the column of all data sets. An interval on one data set cannot reach beyond its
smallest and largest seed: with four seeds it covers 87 % of the time, not 95 %. The last column is
the same difference in the paper's own tables (ResNet-50; in brackets, over how many data sets),
without an interval, because the paper does not print runs."""


def _number(value: float, unit: str) -> str:
    text = f"{value:+.3f}" if unit == RATIO else f"{value:+.2f}"
    return text.replace("-", "−")


def _cell(estimate: tuple[float, float, float], unit: str) -> str:
    """Estimate and interval."""
    value, low, high = (_number(number, unit) for number in estimate)
    return f"{value} [{low}, {high}]"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _overview(findings: list[Finding]) -> list[str]:
    lines = [
        _row(["Claim", "Paper", "Estimate [95 % interval]", "Unit", "Pairs", "Verdict"]),
        "|---|---|---:|---|---:|---|",
    ]
    for finding in findings:
        claim, estimate, pairs = finding.claim, "–", "–"
        if finding.verdict != UNJUDGED:
            estimate, pairs = _cell(finding.weakest.overall, claim.unit), str(finding.weakest.n)
        cells = [claim.statement, claim.source, estimate, claim.unit, pairs, finding.verdict]
        lines.append(_row(cells))
    return lines


def _printed(finding: Finding, numbers: pd.DataFrame) -> list[str]:
    """A cell for each comparison: the paper's own number."""
    cells = []
    for outcome in finding.outcomes:
        own = printed_difference(outcome.comparison, numbers)
        cells.append(f"{_number(own[0], ACCURACY)} ({own[1]})" if own else "–")
    return cells


def _comparisons(finding: Finding, numbers: pd.DataFrame) -> list[str]:
    """Each comparison on each data set."""
    unit = finding.claim.unit
    datasets = list(dict.fromkeys(name for o in finding.outcomes for name in o.differences))
    titles = [title_of(name) for name in datasets]
    lines = [
        _row(["Comparison", *titles, "All data sets", "Paper's tables"]),
        "|---|" + "---:|" * (len(datasets) + 2),
    ]
    for outcome, printed in zip(finding.outcomes, _printed(finding, numbers), strict=True):
        cells = [
            _cell(outcome.on(name), unit) if name in outcome.differences else "–"
            for name in datasets
        ]
        lines.append(_row([outcome.label, *cells, _cell(outcome.overall, unit), printed]))
    return lines


def claims_markdown(
    findings: list[Finding], numbers: pd.DataFrame, study: str, backbone: str
) -> str:
    """The verdicts, how they were reached, and each comparison on each data set.

    Parameters
    ----------
    findings : from `ptnl.analysis.claims.check_claims`
    numbers : the paper's tables, from `ptnl.analysis.published.published`
    study, backbone : the study's name and its primary backbone, for the title
    """
    lines = [
        f"# The paper's claims, checked on the runs of study {study!r}",
        "",
        f"Backbone {backbone}, where a claim is not about backbones.",
        "",
        *_overview(findings),
        "",
        "## How a verdict is reached",
        "",
        HOW,
        "",
        "## Claim by claim",
        "",
        DETAIL,
    ]
    for finding in findings:
        claim, why = finding.claim, f": {finding.reason}" if finding.reason else ""
        lines += [
            "",
            f"### {claim.statement}",
            "",
            f"`{finding.name}`; {claim.source}. Compared: {claim.statistic} ({claim.unit}).",
            "",
            f"**{finding.verdict.capitalize()}**{why}.",
        ]
        if finding.verdict != UNJUDGED:
            lines += ["", *_comparisons(finding, numbers)]
    return "\n".join(lines) + "\n"
