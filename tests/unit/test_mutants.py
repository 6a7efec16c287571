"""Mutants: what mutmut gets to change, and what is made of its results."""

import json
import tomllib
from functools import cached_property
from pathlib import Path

import pytest

from tests.mutants.__main__ import copy_of_the_checkout, modules_and_tests, source_of
from tests.mutants.plain_functions import plain_functions
from tests.mutants.report import (
    Explanation,
    Module,
    Survivor,
    explanations,
    read_module,
    rewrite,
    shown,
    survivor,
    tables,
    unexplained,
    void,
)

SOURCE = """
from functools import cached_property

class Circle:
    def __init__(self, radius):
        self.radius, self.asked = radius, 0

    @property
    def width(self):
        return 2 * self.radius  # twice

    @cached_property
    def area(self):
        self.asked += 1
        return 3 * self.radius**2

    @staticmethod
    def unit():
        return Circle(1)

TABLE = {
    "plus": lambda a, b=1: a + b,
    "times": (lambda factor: lambda number: factor * number, 7),
}
twice: object = lambda number: 2 * number
"""


def test_properties_and_lambdas_become_functions_that_do_the_same():
    rewritten = plain_functions(SOURCE)
    module = {}
    exec(rewritten, module)
    circle = module["Circle"].unit()
    assert (circle.width, circle.area, circle.area, circle.asked) == (2, 3, 3, 1)
    assert isinstance(vars(module["Circle"])["width"], property)
    assert isinstance(vars(module["Circle"])["area"], cached_property)
    assert module["TABLE"]["plus"](2) == 3
    assert module["TABLE"]["times"][0](3)(4) == 12
    assert module["twice"](4) == 8
    assert "@property" not in rewritten
    assert "@staticmethod" in rewritten
    functions = [name for name in module if "lambda" in name]
    assert functions == ["plus_lambda_1", "times_lambda_2", "table_lambda_1"]


DIFFERENCE = """--- ptnl/labels/noise.py
+++ ptnl/labels/noise.py
@@ -1,4 +1,4 @@
 def at(self, value):
     low = 0
-    return low + value
+    return low - value
"""


def results(folder: Path, **codes: int) -> Path:
    """A module's copy, with what became of its mutants beside it."""
    copy = folder / "noise.py"
    lines = {f"ptnl.labels.noise.{name}": code for name, code in codes.items()}
    copy.with_name("noise.py.meta").write_text(json.dumps({"exit_code_by_key": lines}))
    return copy


FOUND = Survivor("Request.at", "return low + value", "return low - value")


def test_survivors_are_those_that_no_test_noticed(tmp_path):
    copy = results(
        tmp_path, xǁRequestǁat__mutmut_1=0, x_b__mutmut_1=1, x_b__mutmut_2=33, x_b__mutmut_3=-24
    )
    module = read_module("ptnl.labels.noise", copy, lambda mutant: DIFFERENCE)
    assert (module.name, module.mutants) == ("ptnl.labels.noise", 4)
    assert module.survivors == [FOUND, Survivor("b", FOUND.before, FOUND.after)]
    with pytest.raises(RuntimeError, match=r"x_b__mutmut_1: mutmut ended with 35"):
        read_module("noise", results(tmp_path, x_b__mutmut_1=35), lambda mutant: DIFFERENCE)


def test_a_change_of_several_lines_is_one():
    lines = "--- a\n+++ b\n@@ -1,3 +1,2 @@\n-    x = [\n-        1]\n+    x = None\n     y\n"
    found = survivor("ptnl.a.x_b__mutmut_12", lines)
    assert found == Survivor("b", "x = [ 1]", "x = None")


def test_survivors_need_an_explanation_and_explanations_a_survivor(tmp_path):
    known = [
        Explanation("noise", "Request.at", "return low - value", "low is 0 | always."),
        Explanation("noise", "Request.at", "return low * value", "No reason."),
        Explanation("losses", "ce", "return None", "Another module, which was not tried."),
    ]
    module = Module("noise", 9, [FOUND])
    assert unexplained([module], known) == []
    assert void([module], known) == ["noise, Request.at: return low * value"]
    (words,) = unexplained([module], known[1:])
    assert words == "noise, Request.at:\n  - return low + value\n  + return low - value"
    page = tmp_path / "page.md"
    page.write_text("Before\n<!-- mutants: begin -->\nold\n<!-- mutants: end -->\nAfter\n")
    rewrite(page, tables([module, Module("losses", 3, [])], known, "mutmut 3"))
    text = page.read_text()
    assert text.startswith("Before\n")
    assert text.endswith("After\n")
    assert "old" not in text
    assert "| `return low + value` becomes `return low - value` | low is 0 \\| always. |\n" in text
    assert "\n| noise | 9 | 8 | 1 |\n| losses | 3 | 3 | 0 |\n| all | 12 | 11 | 1 |\n" in text


def test_of_a_long_line_the_change_is_shown():
    line = "values = [first(0), second(1), third(2), fourth(3), fifth(4), sixth(5)]"
    assert shown(Survivor("f", line, line.replace("third(2)", "third(3)"))) == (
        "`second(1), third(2), fourth(3),` becomes `second(1), third(3), fourth(3),`"
    )


def test_explanations_are_of_functions_that_are_there(root):
    modules = modules_and_tests()
    for one in explanations():
        assert one.module in modules
        assert isinstance(one.after, str)
        name = one.function.rpartition(".")[2]
        assert f"def {name}(" in plain_functions((root / source_of(one.module)).read_text()), one
        assert one.why.endswith(".")
    for module, tests in modules.items():
        assert (root / source_of(module)).is_file()
        assert all((root / f"tests/unit/{test}.py").is_file() for test in tests)


def test_mutmut_works_in_a_copy(tmp_path, root):
    copy = copy_of_the_checkout(tmp_path, "ptnl.training.losses", ["test_losses"])
    options = tomllib.loads((copy / "pyproject.toml").read_text())["tool"]["mutmut"]
    assert options["only_mutate"] == ["ptnl/training/losses.py"]
    assert options["pytest_add_cli_args_test_selection"] == ["tests/unit/test_losses.py"]
    assert "def ce_lambda_1(" in (copy / "ptnl/training/losses.py").read_text()
    noise = "ptnl/labels/noise.py"
    assert (copy / noise).read_bytes() == (root / noise).read_bytes()
