"""The report page."""

import base64
import re

import yaml

from ptnl.analysis.report import DataSetDetails, Report, introduction, render_report
from ptnl.analysis.settings_report import settings_markdown
from ptnl.cli import write_report
from ptnl.io import read_parquet
from ptnl.schemas import RUNS
from tests.unit.made_up import study
from tests.unit.markdown import unpadded

SVG = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
CLAIMS = "# The claims\n\n- it **holds**\n\n## How a verdict is reached\n\nSo and so.\n"


def page(tmp_path, **parts) -> str:
    report = {
        "study": "toy",
        "runs": read_parquet(study(tmp_path / "toy") / "runs.parquet", RUNS),
        "overview": "| All methods |\n|---|\n| c |",
        "overview_figure": SVG,
        "details": {"icons": DataSetDetails("| bell → car |\n|---|", {"Every class": SVG})},
        "claims": CLAIMS,
        "tables": {2: "**Table 2.** Second.", 1: "| A | B |\n|---|---:|\n| a & b | 1 |"},
        "ranks": "| Rank |\n|---|\n| first |",
        "figures": {2: SVG},
        "unfilled": ["Figure 9 needs prompt_sce."],
        "data": ["| Data |\n|---|\n| photographs |", "**Warning:** off"],
        "noise": "| fp |\n|---|\n| 2 |",
        "settings": "| epochs |\n|---|\n| 50 |",
        "cost": "| Hours |\n|---:|\n| 3.5 |",
    }
    return render_report(Report(**{**report, **parts}))


def in_this_order(text: str, *parts: str) -> bool:
    places = [text.index(part) for part in parts]
    return places == sorted(places)


def test_the_study_stands_before_the_paper(tmp_path):
    text = page(tmp_path)
    assert in_this_order(
        text,
        "All methods",
        "bell → car",
        "<strong>holds</strong>",
        "<summary>",
        "So and so.",
        "Figure 9 needs prompt_sce.",
        "a &amp; b",
        "<strong>Table 2.</strong>",
        "first",
        "<strong>Figure 2.</strong>",
        "photographs",
        "<strong>Warning:</strong>",
        "<td>2</td>",
        "<td>50</td>",
        "3.5",
        "Environment</h2>",
    )


def test_the_page_is_one_file_and_links_to_the_tables_beside_it(tmp_path):
    text = page(tmp_path)
    assert text.count(base64.b64encode(SVG).decode()) == 3
    links = set(re.findall(r'(?:src|href)="(?!#|data:)([^"]*)"', text))
    assert links == {
        *("tables/overview.csv", "tables/table1.csv", "tables/table2.csv"),
        *("runs.csv", "summary.csv", "claims.csv"),
    }
    anchors = set(re.findall(r'href="#(\w+)"', text))
    assert anchors == set(re.findall(r'<h2 id="(\w+)"', text))


def test_a_study_that_fills_nothing_of_the_paper_has_no_empty_headings(tmp_path):
    text = page(tmp_path, tables={}, figures={})
    assert "The paper's tables" not in text
    assert "The paper's figures" not in text
    assert "Figure 9 needs prompt_sce." in text


def test_the_introduction_counts(tmp_path):
    runs = read_parquet(study(tmp_path / "toy") / "runs.parquet", RUNS)
    assert introduction(runs).startswith(
        "17 runs on 1 data set (icons) with 1 backbone (mini-rn), 3 methods, 16 shots."
    )


def test_every_setting_is_stated(tmp_path):
    config = yaml.safe_load((study(tmp_path / "toy") / "config.yaml").read_text())
    config["methods"]["prompt_ce"] = {"epochs": 50, "learning_rate": 0.002, "q": 0.7}
    text = unpadded(settings_markdown({**config, "views": 50}))
    assert "| views | 50 |" in text
    assert "| seeds | 1 2 3 4 |" in text
    assert (
        "| symmetric | Flip exactly `fp` labels of every class, uniformly to the other classes. "
        "| fps 0 8 |"
    ) in text
    assert "| Icons | an icon of a {}. |" in text or "| Icons | " in text
    assert "| Prompt tuning | prompt_ce | epochs 50, learning_rate 0.002, q 0.7 |" in text


def test_the_command(tmp_path):
    folder = study(tmp_path / "toy")
    files = {}
    for name in ("overview.md", "claims.md", "data.md", "noise.md", "cost.md", "mistakes.md"):
        files[name] = str(folder / name)
        (folder / name).write_text(f"{name} is here\n")
    svg = folder / "figure.svg"
    svg.write_bytes(SVG)
    options = {
        **{"config": folder / "config.yaml", "runs": folder / "runs.parquet"},
        **{"overview": files["overview.md"], "overview-figure": svg},
        **dict.fromkeys(("class-figures", "confusion-figures", "learning-figures"), svg),
        **{kind: files[f"{kind}.md"] for kind in ("mistakes", "claims", "data", "noise", "cost")},
        "out": folder / "report.html",
    }
    write_report.main([f"--{name}={value}" for name, value in options.items()])
    text = (folder / "report.html").read_text()
    assert "overview.md is here" in text
    assert "Figure 2 needs prompt_gce, linear_probe_gce." in text
