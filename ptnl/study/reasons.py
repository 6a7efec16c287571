"""Why a job is left to do, in a few words, from what Snakemake says.

Snakemake says it at length: every file by name, and every parameter of a job before and now. What a
reader wants is what changed: a function, a setting, or nothing but that the job has not run yet.
"""

import re

from ptnl.study.source_code import file_of

NOT_THERE = "not there yet"
FOLLOWS = "reads what is made anew"
# How a sentence of Snakemake's begins (see `snakemake.jobs.Reason`) -> what it means. Those that
# follow from another job come last.
SENTENCES = {
    "Forced execution": "forced",
    "Incomplete output files": "was cut off",
    "Missing output files": NOT_THERE,
    "Set of input files has changed": "reads other files than before",
    "Updated input files": "an input file is newer",
    "Software environment definition has changed": "another software environment",
    "Input files updated by another job": FOLLOWS,
}
FILES, PARTS = 2, 3  # named at most where code has changed: files, and parts of each
PARAMETERS = "Params have changed since last execution"
# A line of `ptnl.study.source_code.as_line`: a module of ptnl, and its parts with their checksums.
CODE = re.compile(r"([a-z_0-9.]+): ((?:[\w.\[\]]+ [0-9a-f]{8}(?:, )?)+)")
SETTING = re.compile(r'"(\w+)": (\[[^\]]*\]|"[^"]*"|[^,{}]+)')  # in JSON


def in_short(reason: str) -> str:
    """The reason of a job in a few words: what changed, or whether its files are missing."""
    found = [short for start, short in SENTENCES.items() if start in reason]
    if PARAMETERS in reason:
        before, _, now = reason.partition(PARAMETERS)[2].partition(" now: ")
        found.insert(0, changed_code(before, now) or changed_settings(before, now))
    found = [short for short in found if short != FOLLOWS] or found
    return " and ".join(found) or reason


def changed_code(before: str, now: str) -> str:
    """The functions and other parts of modules that changed; empty where none did.

    Of many, the first few are named.
    """
    old, new = _parts(before), _parts(now)
    changed: dict[str, list[str]] = {}
    for module, part in sorted(old.keys() | new.keys()):
        if old.get((module, part)) != new.get((module, part)):
            changed.setdefault(module, []).append(part)
    files = [f"{file_of(module)}: {_listed(parts)} changed" for module, parts in changed.items()]
    more = len(files) - FILES
    return "; ".join(files[:FILES] + ([f"{more} more file{'s' * (more > 1)}"] if more > 0 else []))


def _listed(parts: list[str]) -> str:
    """The first parts of a module, and how many there are beside them."""
    more = len(parts) - PARTS
    return ", ".join(parts[:PARTS]) + (f" and {more} more" if more > 0 else "")


def changed_settings(before: str, now: str) -> str:
    """The settings that changed, with their values where there are a few words for them."""
    old, new = dict(SETTING.findall(before)), dict(SETTING.findall(now))
    changed = [
        f"{name}: {old.get(name, 'not set')} became {new.get(name, 'not set')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    return "; ".join(changed) or "its settings changed"


def _parts(parameters: str) -> dict[tuple[str, str], str]:
    """(Module, part) -> its checksum."""
    return {
        (module, part): checksum
        for module, parts in CODE.findall(parameters)
        for part, checksum in (item.rsplit(" ", 1) for item in parts.rstrip(", ").split(", "))
    }
