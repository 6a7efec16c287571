"""Verdicts on the paper's claims. Pure functions of the run tables.

A seed decides the shots, the wrong labels and the start of the training, so runs of equal (data
set, seed) are paired: a comparison's sum is taken seed by seed on each data set, and then averaged
over data sets. The seeds' means are the observations of Student's interval.

A claim is judged on the data sets on which the paper shows it and the study has all of its methods;
data sets that the paper does not know count as well. Four verdicts:

- *holds*: the interval of each of its comparisons lies above zero. As all of them must, no
  correction for their number is needed (an intersection-union test).
- *does not hold*: the interval of a comparison lies below zero, at a level that is corrected for
  the number of comparisons (Bonferroni), because any one of them suffices.
- *undecided*: neither.
- *not enough runs*: methods are not in the study, or there are fewer than `SEEDS_NEEDED` seeds.
"""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial, reduce
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from ptnl.analysis.claims import ACCURACY, CLAIMS_OF_THE_PAPER, NORM_RATIO, SUM_RATIO, Claim
from ptnl.analysis.comparisons import Comparison, Condition, Setting
from ptnl.analysis.intervals import LEVEL, Estimate, mean_interval
from ptnl.analysis.published import CELL
from ptnl.data import in_order
from ptnl.errors import InputError
from ptnl.methods import METHODS
from ptnl.schemas import CLAIMS
from ptnl.study.layouts import shown

# The paper averages four runs. With fewer, all seeds agree by chance too often (1 in 8 for three).
SEEDS_NEEDED = 4

HOLDS, FAILS, UNDECIDED, UNJUDGED = "holds", "does not hold", "undecided", "not enough runs"

PAIR = ["dataset", "seed"]
VALUES = [*PAIR, "backbone", "method", "noise", "rate", "value"]

Values = TypeVar("Values", pd.DataFrame, pd.Series)


@dataclass(frozen=True)
class Outcome:
    """What the runs found for one comparison."""

    comparison: Comparison
    differences: pd.DataFrame  # one row per data set, one column per seed

    @cached_property
    def overall(self) -> Estimate:
        """Over all data sets, which weigh alike."""
        return self.at_level(LEVEL)

    def at_level(self, level: float) -> Estimate:
        """Over all data sets, with an interval of another confidence."""
        return mean_interval(self.differences.mean(axis=0), level)

    def on(self, dataset: str) -> Estimate:
        """On one data set."""
        return mean_interval(self.differences.loc[dataset].to_numpy())

    def words(self, unit: str) -> str:
        """What was found, with its interval; a sentence without its full stop."""
        mean, low, high = self.overall
        sentence = self.comparison.right if mean >= 0 else self.comparison.wrong
        ends = (low, high) if mean >= 0 else (-high, -low)
        amount = f"{abs(mean):.1f} points" if unit == ACCURACY else f"{abs(mean):.3f}"
        digits = 1 if unit == ACCURACY else 3
        interval = " to ".join(f"{end:.{digits}f}".replace("-", "−") for end in ends)
        return f"{sentence.format(amount)} (95 % interval {interval})"


@dataclass(frozen=True)
class Finding:
    """A claim with its outcomes and the verdict."""

    name: str
    claim: Claim
    outcomes: Sequence[Outcome]
    missing: Sequence[str]  # what was not run, in words; empty where the claim can be judged
    left_out: Sequence[str]  # data sets on which the study does not run all that is compared

    @cached_property
    def weakest(self) -> Outcome:
        """The outcome whose interval reaches lowest: the one that the claim stands or falls by."""
        return min(self.outcomes, key=lambda outcome: outcome.overall.low)

    @cached_property
    def refuting(self) -> list[Outcome]:
        """The outcomes that show the opposite, each of which suffices."""
        level = 1 - (1 - LEVEL) / len(self.outcomes)
        return [outcome for outcome in self.outcomes if outcome.at_level(level).high < 0]

    @property
    def verdict(self) -> str:
        if self.missing:
            return UNJUDGED
        if self.weakest.overall.low > 0:
            return HOLDS
        return FAILS if self.refuting else UNDECIDED

    @property
    def sentence(self) -> str:
        """The verdict with the finding that it rests on, or with what is missing."""
        if self.missing:
            said = self.missing
        elif self.verdict == HOLDS:
            said = [self.weakest.words(self.claim.unit)]
        else:
            said = [
                outcome.words(self.claim.unit)
                for outcome in self.refuting
                or [outcome for outcome in self.outcomes if outcome.overall.low <= 0]
            ]
        return f"{self.verdict.capitalize()}: {'; '.join(said)}."


def values_of(values: pd.DataFrame, condition: Condition) -> pd.Series:
    """A condition's values by (data set, seed); two for one pair are an `InputError`."""
    rows = values[(values.method == condition.method) & (values.backbone == condition.backbone)]
    if condition.rate is not None:
        rows = rows[(rows.noise == condition.noise) & (rows.rate == condition.rate)]
    found = rows.set_index(PAIR).value
    if found.index.has_duplicates:
        raise InputError(f"two runs of {condition} {_first(found.index[found.index.duplicated()])}")
    if not np.isfinite(found).all():
        raise InputError(f"{condition}: not a number {_first(found.index[~np.isfinite(found)])}")
    return found


def _first(pairs: "pd.Index[Any]") -> str:
    dataset, seed = pairs[0]
    return f"on {dataset} for seed {seed}"


def _total(parts: Iterable[Values]) -> Values:
    """The sum of at least one table or column."""
    return reduce(operator.add, parts)


def _by_seed(
    found: pd.Series, datasets: list[str], seeds: Sequence[int], is_trained: bool
) -> pd.DataFrame:
    """One row per data set, one column per seed; what trains nothing has the same value for all."""
    table = found.unstack("seed").reindex(datasets)
    if not is_trained:
        table = pd.DataFrame(dict.fromkeys(seeds, table[0]))
    return table.reindex(columns=list(seeds))


def _seeds_without(table: pd.DataFrame, dataset: str) -> list[int]:
    """The seeds for which a table of `_by_seed` has no value of a data set."""
    return [int(seed) for seed in table.columns[table.loc[[dataset]].isna().any()]]


def _judge(
    name: str,
    claim: Claim,
    values: pd.DataFrame,
    find: Callable[[Condition], pd.Series],
    setting: Setting,
) -> Finding:
    comparisons = claim.comparisons(setting)
    if not comparisons:
        return Finding(name, claim, [], ["the study has one backbone"], [])
    found = {c: find(c) for part in comparisons for c in part.conditions}
    possible = shown(claim.shown, in_order(values.dataset))
    judged = [
        name for name in possible if all(name in f.index.unique("dataset") for f in found.values())
    ]
    left_out = [name for name in possible if name not in judged]
    if not judged:
        return Finding(name, claim, [], _not_run(found, set(values.method)), left_out)
    trained = [c for c in found if METHODS[c.method].is_trained]
    seeds = sorted({seed for c in trained for seed in found[c].loc[judged].index.unique("seed")})
    tables = {c: _by_seed(f, judged, seeds, c in trained) for c, f in found.items()}
    missing = [
        f"no runs of {c} on {dataset} for seed {', '.join(map(str, lacking))}"
        for c, table in tables.items()
        for dataset in judged
        if (lacking := _seeds_without(table, dataset))
    ]
    if len(seeds) < SEEDS_NEEDED:
        missing.append(f"{len(seeds)} of {SEEDS_NEEDED} seeds")
    outcomes = [
        Outcome(part, _total(tables[c] for c in part.plus) - _total(tables[c] for c in part.minus))
        for part in comparisons
    ]
    return Finding(name, claim, outcomes, missing, left_out)


def _not_run(found: Mapping[Condition, pd.Series], methods: set[str]) -> list[str]:
    """Why a claim can be judged on no data set: methods, else conditions, that the study lacks."""
    lacking = [c for c, values in found.items() if values.empty]
    absent = dict.fromkeys(f"`{c.method}`" for c in lacking if c.method not in methods)
    if absent:
        return [f"no runs of {', '.join(absent)}"]
    return [f"no runs of {c}" for c in lacking] or ["no data set has all that is compared"]


def check_claims(
    runs: pd.DataFrame,
    gradients: pd.DataFrame | None,
    primary: str,
    noise: str = "symmetric",
    claims: Mapping[str, Claim] = CLAIMS_OF_THE_PAPER,
) -> list[Finding]:
    """Judge claims on the runs of a study.

    Parameters
    ----------
    runs : one row per run (`ptnl.schemas.RUNS`)
    gradients : one row per epoch of the gradient study (`ptnl.schemas.GRADIENTS`), if there is one
    primary : the backbone on which claims are judged that are not about backbones
    noise : the study's kind of noise in the place of the paper's random noise
    claims : which ones
    """
    tables = {unit: _of_gradients(gradients, unit) for unit in (NORM_RATIO, SUM_RATIO)}
    tables[ACCURACY] = runs.rename(columns={"accuracy": "value"})[VALUES]
    tuned = set(runs[runs.method == "prompt_ce"].backbone)
    backbones = (primary, *sorted(tuned - {primary}))

    def setting(values: pd.DataFrame) -> Setting:
        rates = tuple(sorted(set(values[values.noise == noise].rate)))
        return Setting(noise, rates, primary, backbones)

    # Many claims compare with the same conditions, such as plain prompt tuning at one rate.
    looked_up = {unit: cache(partial(values_of, table)) for unit, table in tables.items()}
    settings = {unit: setting(table) for unit, table in tables.items()}
    return [
        _judge(name, claim, tables[claim.unit], looked_up[claim.unit], settings[claim.unit])
        for name, claim in claims.items()
    ]


def _of_gradients(gradients: pd.DataFrame | None, unit: str) -> pd.DataFrame:
    """A ratio of each run of the gradient study: its mean over the measured epochs."""
    if gradients is None:
        return pd.DataFrame(columns=VALUES, dtype=float)
    ratio = {NORM_RATIO: "ratio_mean", SUM_RATIO: "ratio"}[unit]
    keys = [*PAIR, "backbone", "method", "noise", "fp", "shots"]
    means = gradients.groupby(keys)[ratio].agg(lambda of: of.mean(skipna=False))
    table = means.rename("value").reset_index()
    return table.assign(rate=100 * table.fp / table.shots)[VALUES]


def printed_difference(
    comparison: Comparison, numbers: pd.DataFrame, noise: str, datasets: Sequence[str]
) -> tuple[float, int] | None:
    """The paper's own number for the same statistic, with ResNet-50 (`ptnl.analysis.published`).

    Table 5 prints ensembles where ours are single prompts, and no table has both rates of a linear
    probe: there is no such number for these. Where tables disagree, the later counts.

    Parameters
    ----------
    comparison : of the study
    numbers : the paper's tables
    noise : the study's kind in the place of the paper's random noise
    datasets : on which the study is judged; where the paper prints none of these, all of the
        paper's count

    Returns
    -------
    The mean over the data sets for which each condition is printed, in percentage points, and how
    many these are; None where there are none.
    """
    if any(c.rate is None for c in comparison.conditions):
        return None
    if len({c.backbone for c in comparison.conditions}) > 1:
        return None
    cells = numbers[numbers.backbone == "RN50"].drop_duplicates(CELL, keep="last")
    cells = cells.rename(columns={"mean": "value"}).assign(seed=0)

    def printed(condition: Condition) -> pd.Series:
        kind = "symmetric" if condition.noise == noise else condition.noise
        rows = values_of(cells, Condition(condition.method, "RN50", condition.rate, kind))
        return rows.droplevel("seed")

    plus, minus = (_total(map(printed, side)) for side in (comparison.plus, comparison.minus))
    difference = (plus - minus).dropna()
    ours = difference[difference.index.isin(datasets)]
    difference = ours if len(ours) else difference
    return (float(difference.mean()), len(difference)) if len(difference) else None


def claims_table(findings: Sequence[Finding]) -> pd.DataFrame:
    """One row per claim (see `ptnl.schemas.CLAIMS`)."""
    rows = []
    for finding in findings:
        judged = finding.verdict != UNJUDGED
        estimate, low, high = finding.weakest.overall if judged else (np.nan,) * 3
        differences = finding.weakest.differences if judged else pd.DataFrame()
        rows.append(
            {
                "claim": finding.name,
                "statement": finding.claim.statement,
                "source": finding.claim.source,
                "statistic": finding.claim.statistic,
                "comparison": finding.weakest.comparison.label if judged else "",
                "unit": finding.claim.unit,
                "estimate": estimate,
                "low": low,
                "high": high,
                "seeds": differences.shape[1],
                "datasets": ", ".join(differences.index),
                "verdict": finding.verdict,
                "finding": finding.sentence,
            }
        )
    return pd.DataFrame(rows)[list(CLAIMS)]
