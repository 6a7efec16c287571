"""The report page."""

import base64
import re

from ptnl.analysis.aggregate import runs_table
from ptnl.analysis.report import render_report
from tests.unit.test_results import metrics

RUNS = runs_table(
    [metrics(method, fp, 1, 70) for method in ("linear_probe", "prompt_ce") for fp in (0, 8)]
)


def test_the_page_holds_everything_in_one_file():
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    page = render_report(
        "toy",
        RUNS,
        tables={2: "**Table 2.** Second.", 1: "| A | B |\n|---|---:|\n| a & b | 1 |"},
        figures={2: svg},
        claims="- it **holds**",
        data=["| Data |\n|---|\n| photographs |", "**Warning:** off"],
        noise="| fp |\n|---|\n| 2 |",
        cost="| Hours |\n|---:|\n| 3.5 |",
    )
    assert page.index("a &amp; b") < page.index("<strong>Table 2.</strong>")
    assert base64.b64encode(svg).decode() in page
    assert "<strong>holds</strong>" in page
    assert (
        page.index("photographs")
        < page.index("<strong>Warning:</strong>")
        < page.index("<td>2</td>")
    )
    assert page.index("Cost</h2>") < page.index("3.5") < page.index("Environment</h2>")
    assert not re.search(r'(src|href)="(?!#|data:)', page)
    anchors = set(re.findall(r'href="#(\w+)"', page))
    assert anchors == set(re.findall(r'<h2 id="(\w+)"', page))
