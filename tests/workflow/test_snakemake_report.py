"""Snakemake's own report holds tables and figures with captions, and no single runs."""

import json
import re
import zipfile

CATEGORIES = {
    "Report": ["report.html"],
    "Overview": ["overview.csv", "overview.svg"],
    "Classes and training": [
        f"{kind}_symbols.svg" for kind in ("classes", "confusion", "learning")
    ],
    "The paper's claims": ["claims.csv"],
    "The paper's tables": [f"table{number}.csv" for number in (1, 2, 3, 4, 5, 8)],
    "The paper's figures": [f"figure{number}.svg" for number in (1, 2, 4, 5, 6, 9)],
    "Study": ["cost.csv", "datasets.csv", "noise.csv", "runs.csv", "zeroshot.csv"],
}


def parts(page: str, name: str) -> dict:
    """A JSON object in the source of the report's page."""
    start = page.index(f'var {name} = {{"') + len(f"var {name} = ")
    return json.JSONDecoder().raw_decode(page, start)[0]


def test_the_report_holds_files_with_captions_and_labels(pretended, tmp_path):
    said = pretended.snakemake("--report", str(tmp_path / "report.zip"))
    assert said.returncode == 0, said.stdout + said.stderr
    with zipfile.ZipFile(tmp_path / "report.zip") as archive:
        page = archive.read("report/report.html").decode()
        names = sorted(name.rpartition("/")[2] for name in archive.namelist() if "/raw/" in name)
    assert names == sorted(name for files in CATEGORIES.values() for name in files)
    results = parts(page, "results")
    filed = {
        category: sorted(results[path]["name"] for path in files["Other"])
        for category, files in parts(page, "categories").items()
    }
    assert filed == {category: sorted(files) for category, files in CATEGORIES.items()}
    for result in results.values():
        text = re.sub("<.*?>", "", result["caption"]).strip()
        assert text.endswith(".")
        assert "{{" not in text
        assert result["labels"]
    assert "Table 5 in the paper's layout" in page
    assert "Study <em>smoke</em>, a reproduction of" in page
