"""Comparisons of conditions: what is run, and what is subtracted from what. Pure.

A comparison is a signed sum of conditions that is positive where a claim of the paper is right.

The paper's rates of wrong labels are read as roles, because a study may have others: `CLEAN` is
0 %, `Setting.high` is 50 % or, in a study without it, the highest rate, and "across all levels of
noise" means the rates that the study runs. Labels name the rates that were run.
"""

from dataclasses import dataclass

CLEAN, HIGH = 0.0, 50.0  # percent of wrong labels, in the paper


@dataclass(frozen=True)
class Setting:
    """What a study has run, as far as the comparisons depend on it."""

    noise: str  # the study's kind in the place of the paper's random noise
    rates: tuple[float, ...]  # percent of wrong labels of that kind, ascending
    primary: str  # the backbone of everything that is not about backbones
    backbones: tuple[str, ...]  # with which prompts were tuned, the primary one first

    @property
    def high(self) -> float:
        """The rate for the paper's 50 %."""
        return HIGH if HIGH in self.rates or not any(self.rates) else max(self.rates)

    @property
    def higher(self) -> tuple[float, ...]:
        """The rates for the paper's 25 and 50 %."""
        return (*(rate for rate in self.rates if HIGH / 2 <= rate < self.high), self.high)


@dataclass(frozen=True)
class Condition:
    """What is run on each data set with each seed."""

    method: str
    backbone: str
    rate: float | None = None  # percent of wrong labels; None where a method labels its own shots
    noise: str = ""

    def __str__(self) -> str:
        at = "" if self.rate is None else f" at {self.rate:g} % {self.noise} noise"
        return f"`{self.method}`{at} ({self.backbone})"


@dataclass(frozen=True)
class Comparison:
    """Conditions that count for the claim minus conditions that count against it."""

    label: str
    plus: tuple[Condition, ...]
    minus: tuple[Condition, ...]
    right: str  # what was found if the sum is positive; {} is the amount
    wrong: str  # and if it is negative

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return self.plus + self.minus


def above(setting: Setting, better: str, worse: str, rate: float, noise: str = "") -> Comparison:
    """One method's accuracy over another's, at one rate of noise."""
    noise = noise or setting.noise
    under = "" if noise == setting.noise else f" under {noise} noise"
    return Comparison(
        f"`{better}` over `{worse}`, {rate:g} %{under}",
        (Condition(better, setting.primary, rate, noise),),
        (Condition(worse, setting.primary, rate, noise),),
        f"`{better}` was {{}} above `{worse}` at {rate:g} % wrong labels{under}",
        f"`{better}` was {{}} below `{worse}` at {rate:g} % wrong labels{under}",
    )


def loses_less(
    setting: Setting, robust: str, other: str, rate: float, backbone: str = ""
) -> Comparison:
    """Accuracy that one method loses from clean labels to a rate, less than another loses.

    backbone : of the robust method, if not the primary one
    """
    backbone = backbone or setting.primary

    def at(method: str, rate: float, backbone: str) -> Condition:
        return Condition(method, backbone, rate, setting.noise)

    named = f"`{robust}`" if backbone == setting.primary else f"`{robust}` ({backbone})"
    return Comparison(
        f"{named} loses less than `{other}`, 0 to {rate:g} %",
        (at(robust, rate, backbone), at(other, CLEAN, setting.primary)),
        (at(robust, CLEAN, backbone), at(other, rate, setting.primary)),
        f"{named} lost {{}} less than `{other}` from 0 to {rate:g} % wrong labels",
        f"{named} lost {{}} more than `{other}` from 0 to {rate:g} % wrong labels",
    )


def over_own_labels(setting: Setting, better: str, worse: str) -> Comparison:
    """One method's accuracy over another's, where methods label their own shots."""
    return Comparison(
        f"`{better}` over `{worse}`",
        (Condition(better, setting.primary),),
        (Condition(worse, setting.primary),),
        f"`{better}` was {{}} above `{worse}`",
        f"`{better}` was {{}} below `{worse}`",
    )


def lower_ratio(setting: Setting, lower: str, higher: str) -> Comparison:
    """One method's noisy-to-clean gradient ratio under another's."""
    at = f"at {setting.high:g} % wrong labels"
    return Comparison(
        f"ratio of `{higher}` over ratio of `{lower}`, {setting.high:g} %",
        (Condition(higher, setting.primary, setting.high, setting.noise),),
        (Condition(lower, setting.primary, setting.high, setting.noise),),
        f"the ratio of `{lower}` was {{}} below that of `{higher}` {at}",
        f"the ratio of `{lower}` was {{}} above that of `{higher}` {at}",
    )


def hurt_more(setting: Setting, method: str, noise: str) -> Comparison:
    """A method's accuracy under random noise over its own under another kind."""
    rate = setting.high
    return Comparison(
        f"`{method}`, {setting.noise} over {noise}, {rate:g} %",
        (Condition(method, setting.primary, rate, setting.noise),),
        (Condition(method, setting.primary, rate, noise),),
        f"`{method}` was {{}} lower under {noise} than under {setting.noise} noise at {rate:g} %",
        f"`{method}` was {{}} higher under {noise} than under {setting.noise} noise at {rate:g} %",
    )
