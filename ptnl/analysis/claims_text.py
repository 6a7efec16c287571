"""The verdicts on the paper's claims as a page of Markdown. Pure functions of the findings."""

from collections.abc import Sequence

import pandas as pd

from ptnl.analysis.claims import ACCURACY
from ptnl.analysis.intervals import Estimate
from ptnl.analysis.text_tables import markdown_table
from ptnl.analysis.verdicts import SEEDS_NEEDED, UNJUDGED, Finding, printed_difference
from ptnl.data import title_of

HOW = f"""\
Every number is a difference that is **positive where the paper is right**. Runs of one seed share
their shots and, under one kind of noise, their wrong labels, so differences are taken seed by seed
on each data set and averaged over data sets. These means, one per seed, are the observations: the
95 % interval is Student's. A seed decides the same random numbers on every data set, so data sets
are no independent observations; taken this way, the interval covers the truth in 95 % of studies
whether the data sets' differences go together or not (simulated, `workflow/docs/claims.md`).

A claim is judged on the data sets on which the paper shows it and the study runs all that is
compared, and on all data sets that the paper does not know.

- It **holds** if the interval of each of its comparisons lies above zero.
- It **does not hold** if the interval of a comparison lies below zero, at a level that is corrected
  for the number of its comparisons (Bonferroni), because any one of them suffices.
- Otherwise it is **undecided**.
- There are **not enough runs** where a method is not in the study, or with fewer than
  {SEEDS_NEEDED} seeds."""

DETAIL = """\
Verdicts rest on the column of all data sets. The last column is the same statistic in the paper's
own tables (ResNet-50; in brackets, over how many data sets), without an interval, because the paper
does not print runs. A dash stands where it does not print this statistic."""


def _number(value: float, unit: str) -> str:
    text = f"{value:+.2f}" if unit == ACCURACY else f"{value:+.3f}"
    return text.replace("-", "−")


def _cell(estimate: Estimate, unit: str) -> str:
    """Estimate and interval."""
    mean, low, high = (_number(number, unit) for number in estimate)
    return f"{mean} [{low}, {high}]"


def overview(findings: Sequence[Finding]) -> str:
    """One row per claim: what the paper says, where, and what this study found.

    Claims that the study cannot judge follow in a list.
    """
    judged = [
        (f.claim.statement, f.claim.source, f"**{f.verdict.capitalize()}**{_found(f)}")
        for f in findings
        if f.verdict != UNJUDGED
    ]
    parts = [markdown_table(["Claim", "Paper", "Found"], judged, "lll")] if judged else []
    if lacking := [f for f in findings if f.verdict == UNJUDGED]:
        parts += [
            f"Not enough runs for {len(lacking)} claims:",
            "\n".join(f"- `{f.name}`: {'; '.join(f.missing)}" for f in lacking),
        ]
    return "\n\n".join(parts)


def _found(finding: Finding) -> str:
    """The finding, without the name of the verdict."""
    return finding.sentence.removeprefix(finding.verdict.capitalize())


def _comparisons(finding: Finding, numbers: pd.DataFrame, noise: str) -> str:
    """Each comparison on each data set, beside the paper's own number."""
    unit = finding.claim.unit
    datasets = list(finding.outcomes[0].differences.index)
    rows = []
    for outcome in finding.outcomes:
        own = printed_difference(outcome.comparison, numbers, noise, datasets)
        own = own if unit == ACCURACY else None
        cells = [_cell(outcome.on(name), unit) for name in datasets]
        printed = f"{_number(own[0], unit)} ({own[1]})" if own else "–"
        rows.append([outcome.comparison.label, *cells, _cell(outcome.overall, unit), printed])
    heads = ["Comparison", *map(title_of, datasets), "All data sets", "Paper's tables"]
    return markdown_table(heads, rows, "l" + "r" * (len(datasets) + 2))


def _section(finding: Finding, numbers: pd.DataFrame, noise: str) -> str:
    claim = finding.claim
    parts = [
        f"### {claim.statement}",
        f"> {claim.quote} ({claim.source})",
        f"`{finding.name}`. Compared: {claim.statistic} ({claim.unit}).",
        f"**{finding.verdict.capitalize()}**{_found(finding)}",
    ]
    if finding.verdict != UNJUDGED:
        parts.append(_comparisons(finding, numbers, noise))
        if finding.left_out:
            names = ", ".join(map(title_of, finding.left_out))
            parts.append(f"Not on {names}, where the study does not run all that is compared.")
    return "\n\n".join(parts)


def claims_markdown(
    findings: Sequence[Finding], numbers: pd.DataFrame, study: str, backbone: str, noise: str
) -> str:
    """The verdicts, how they were reached, and each comparison on each data set.

    Parameters
    ----------
    findings : from `ptnl.analysis.verdicts.check_claims`
    numbers : the paper's tables, from `ptnl.analysis.published.published`
    study, backbone, noise : the study's name, its primary backbone and its kind of random noise
    """
    parts = [
        f"# The paper's claims, checked on the runs of study {study!r}",
        f"Backbone {backbone}, where a claim is not about backbones; random noise is `{noise}`.",
        overview(findings),
        "## How a verdict is reached",
        HOW,
        "## Claim by claim",
        DETAIL,
        *(_section(finding, numbers, noise) for finding in findings),
    ]
    return "\n\n".join(parts) + "\n"
