"""What became of the mutants, and which survivors are explained."""

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import yaml

EXPLAINED = Path(__file__).with_name("survivors.yaml")
BEGIN, END = "<!-- mutants: begin -->\n", "<!-- mutants: end -->\n"

# mutmut's exit codes: pytest found a failure, or the tests took far longer than without a change.
KILLED = {1, 3, -24, 24, 36, 152, 255}
SURVIVED, NO_TESTS = 0, 33

AROUND = 8  # words and signs that are shown on either side of a change


@dataclass(frozen=True)
class Survivor:
    """A change that no test notices."""

    function: str
    before: str  # the line
    after: str  # and what it was changed to


@dataclass(frozen=True)
class Explanation:
    """Why a change cannot be noticed, or need not be."""

    module: str
    function: str
    after: str
    why: str

    def explains(self, module: str, survivor: Survivor) -> bool:
        return (self.module, self.function, self.after) == (
            module,
            survivor.function,
            survivor.after,
        )


@dataclass(frozen=True)
class Module:
    """The mutants of a module."""

    name: str
    mutants: int
    survivors: list[Survivor]


def explanations(path: Path = EXPLAINED) -> list[Explanation]:
    """Those of the file, which lists by module and function what lines became, and why."""
    return [
        Explanation(module, entry["function"], after, entry["why"])
        for module, entries in yaml.safe_load(path.read_text()).items()
        for entry in entries
        for after in entry["after"]
    ]


def read_module(name: str, copy: Path, difference: Callable[[str], str]) -> Module:
    """What became of a module's mutants.

    copy : the module as mutmut changed it; its results lie beside it
    difference : gives the difference that a mutant makes, as `diff -u` writes it
    """
    codes = json.loads(copy.with_name(copy.name + ".meta").read_text())["exit_code_by_key"]
    for mutant, code in codes.items():
        if code not in {*KILLED, SURVIVED, NO_TESTS}:
            raise RuntimeError(f"{mutant}: mutmut ended with {code}, which says nothing")
    left = [mutant for mutant, code in codes.items() if code not in KILLED]
    return Module(name, len(codes), [survivor(mutant, difference(mutant)) for mutant in left])


def survivor(mutant: str, difference: str) -> Survivor:
    """A survivor by mutmut's name of it and the difference that it makes."""
    function = re.sub(r"__mutmut_\d+$", "", mutant.rpartition(".")[2])
    function = function.removeprefix("x_").removeprefix("xǁ").replace("ǁ", ".")
    lines = [line for line in difference.splitlines() if not line.startswith(("---", "+++"))]
    before, after = (
        " ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
    )
    return Survivor(function, before, after)


def unexplained(modules: Iterable[Module], known: Iterable[Explanation]) -> list[str]:
    """Survivors that need a test or an explanation, in words."""
    known = list(known)
    return [
        f"{module.name}, {survivor.function}:\n  - {survivor.before}\n  + {survivor.after}"
        for module in modules
        for survivor in module.survivors
        if not any(one.explains(module.name, survivor) for one in known)
    ]


def void(modules: Iterable[Module], known: Iterable[Explanation]) -> list[str]:
    """Explanations of changes that did not survive, in words."""
    survivors = {module.name: module.survivors for module in modules}
    return [
        f"{one.module}, {one.function}: {one.after}"
        for one in known
        if one.module in survivors
        and not any(one.explains(one.module, survivor) for survivor in survivors[one.module])
    ]


def tables(modules: Iterable[Module], known: Iterable[Explanation], tool: str) -> str:
    """The tables of the page: what became of the mutants, then the survivors and why."""
    modules, known = list(modules), list(known)
    counted = [(module.name, module.mutants, len(module.survivors)) for module in modules]
    counted.append(("all", sum(row[1] for row in counted), sum(row[2] for row in counted)))
    lines = [
        f"Measured with {tool}.\n",
        "| module | mutants | killed | survivors |",
        "|---|---:|---:|---:|",
        *(f"| {name} | {made} | {made - left} | {left} |" for name, made, left in counted),
        "\n| survivor in | change | why no test notices it |",
        "|---|---|---|",
    ]
    for module in modules:
        for one in module.survivors:
            (why,) = {each.why for each in known if each.explains(module.name, one)}
            lines.append(
                f"| {module.name}, `{one.function}` | {in_cell(shown(one))} | {in_cell(why)} |"
            )
    return "\n".join(lines) + "\n"


def shown(survivor: Survivor) -> str:
    """What a survivor changes, with a few words around it, as code."""
    before, after = (
        re.findall(r"\w+|\s+|[^\w\s]", line) for line in (survivor.before, survivor.after)
    )
    start = max(_alike(before, after) - AROUND, 0)
    end = max(_alike(before[:start:-1], after[:start:-1]) - AROUND, 0)
    parts = ("".join(line[start : len(line) - end]).strip() for line in (before, after))
    return " becomes ".join(f"`{part}`" for part in parts)


def _alike(one: list[str], other: list[str]) -> int:
    """How many first items two lists share."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def in_cell(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return text.replace("|", "\\|")


def rewrite(page: Path, text: str) -> None:
    """Replace the tables of a page."""
    head, rest = page.read_text().split(BEGIN)
    page.write_text(head + BEGIN + "\n" + text + "\n" + END + rest.split(END)[1])
