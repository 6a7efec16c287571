"""The content of the report page, and its order."""

import base64
import re
from html import unescape
from xml.etree import ElementTree

import pandas as pd
import pytest
import yaml

from ptnl.analysis.details import LISTED, classes_markdown
from ptnl.analysis.overview import seeds_markdown
from ptnl.analysis.report import introduction, summary, verdicts_at_a_glance, world
from ptnl.analysis.settings_report import settings_markdown
from ptnl.io import read_parquet
from ptnl.schemas import HARD_IMAGES, RUNS
from tests.unit.made_up import CLASSES, study
from tests.unit.made_up_report import reported
from tests.unit.markdown import unpadded


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return reported(tmp_path_factory.mktemp("report") / "toy")


@pytest.fixture(scope="module")
def page(folder) -> str:
    return (folder / "report.html").read_text()


def in_this_order(text: str, *parts: str) -> bool:
    places = [text.index(part) for part in parts]
    return places == sorted(places)


def test_the_overview_comes_first_and_the_study_before_the_paper(page):
    assert in_this_order(
        unescape(page),
        "17 runs on 1 data set (icons)",
        "None of the data sets is the paper's",
        "1 holds here",
        '<span class="holds">Holds</span> Prompt tuning loses less to wrong labels than a linear',
        "17 claims need more runs than this study has",
        'aria-label="Every method at every rate"',
        "<strong>Random noise: top-1",
        "Every seed</summary>",
        'aria-label="Accuracy of every class"',
        "Most frequent mistakes on Icons",
        'src="data:image/webp;base64,',
        "How verdicts are reached",
        "Figure 2 needs prompt_gce, linear_probe_gce.",
        "<strong>Data sets.</strong>",
        "<strong>Noise.</strong>",
        "<strong>Methods.</strong>",
        "primary_backbone: mini-rn",
        "<strong>Cost.</strong>",
        "markdown-it-py",
        'id="cite"',
    )


def test_there_is_no_heading_for_what_the_study_does_not_show(page):
    assert "The paper's tables" not in page
    assert "The paper's figures" not in page


def test_the_page_is_one_file_and_links_to_the_tables_beside_it(page):
    assert "default-src 'none'" in page
    used = set(re.findall(r'(?:src|href)="(?!#|data:)([^"]*)"', page))
    figures = ("overview", "classes_icons", "confusion_icons", "learning_icons")
    assert used == {
        *("tables/overview.csv", "runs.csv", "summary.csv", "claims.csv", "noise.csv", "cost.csv"),
        *("datasets.csv", "feature_norms.csv", "config.yaml", "details/icons/classes.parquet"),
        *("predictions.parquet", "hard_images.parquet"),
        *(f"figures/{name}.{kind}" for name in figures for kind in ("svg", "pdf", "png")),
    }
    anchors = re.findall(r'href="#(\w+)"', page)
    assert set(anchors) == set(re.findall(r'<h2 id="(\w+)"', page))


def test_ids_are_unique_and_every_reference_leads_to_one(page):
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(|href=")#([^")]+)', page)) <= set(ids)


def test_every_table_has_a_caption_and_header_cells(page):
    tables = re.findall(r"<table.*?</table>", page, flags=re.S)
    assert len(tables) > 10
    for table in tables:
        parsed = ElementTree.fromstring(table)
        assert "".join(parsed.find("caption").itertext()).strip()
        assert parsed.find(".//th[@scope='col']") is not None
        assert parsed.find(".//tbody//th[@scope='row']") is not None


def test_images_that_all_methods_get_wrong_are_shown_with_their_names(folder, page):
    hard = read_parquet(folder / "hard_images.parquet", HARD_IMAGES)
    assert len(hard)
    for image in hard.itertuples():
        thumbnail = base64.b64encode(image.thumbnail).decode()
        entry = page.partition(thumbnail)[2].partition("</li>")[0]
        assert f"<div>{image.class_name}<br><s>{image.predicted_class}</s>" in entry


def test_the_paper_is_cited_as_in_the_citation_file(root, page):
    cited = yaml.safe_load((root / "CITATION.cff").read_text())["preferred-citation"]
    names = [f"{author['given-names']} {author['family-names']}" for author in cited["authors"]]
    line = f"{', '.join(names)}. {cited['title']} {cited['collection-title']}, {cited['year']}."
    assert line in page


def test_the_introduction_counts_runs_data_sets_and_methods(tmp_path):
    runs = read_parquet(study(tmp_path / "toy") / "runs.parquet", RUNS)
    what = "17 runs on 1 data set (icons) with 1 backbone (mini-rn), 3 methods, trained on "
    assert introduction(runs, 16).startswith(f"{what}16 images a class.")
    assert introduction(runs, "all").startswith(f"{what}every training image.")


def test_the_page_says_which_data_sets_are_the_papers():
    assert world(["dtd", "ucf101"], True).startswith("All data sets are the paper's.")
    assert world(["dtd", "icons"], True).startswith("Icons: not of the paper.")
    own = world(["icons", "symbols"], True)
    assert own.startswith("None of the data sets is the paper's: the claims are checked")
    assert "claims" not in world(["icons", "symbols"], False)


def test_claims_are_listed_by_their_verdict():
    verdicts = pd.DataFrame(
        [("undecided", "A"), ("holds", "B"), ("not enough runs", "C"), ("holds", "D")],
        columns=["verdict", "statement"],
    )
    groups = verdicts_at_a_glance(verdicts)
    assert [(group["name"], group["claims"]) for group in groups] == [
        ("holds", ["B", "D"]),
        ("undecided", ["A"]),
        ("not-enough-runs", ["C"]),
    ]
    assert summary(verdicts, True) == (
        "Of the paper's 4 claims, 2 hold here, 1 is undecided, "
        "1 needs more runs than this study has."
    )
    unjudged = pd.DataFrame({"verdict": ["not enough runs"] * 4})
    assert (
        summary(unjudged, True) == "All 4 claims of the paper need more runs than this study has."
    )


@pytest.fixture(scope="module")
def as_they_are(tmp_path_factory) -> str:
    """The text of the report of a study that makes no label wrong, without its figures."""
    folder = reported(tmp_path_factory.mktemp("report") / "mine", fps=(0,))
    page = (folder / "report.html").read_text()
    return unescape(re.sub(r"<svg.*?</svg>", "", page.partition("<body>")[2], flags=re.S))


def test_a_study_without_wrong_labels_is_about_its_labels(as_they_are):
    assert "that train on the labels as they are?" in as_they_are
    assert in_this_order(
        as_they_are,
        "No label was made wrong, so the study says nothing about the paper's claims",
        "<strong>Labels as they are: top-1 accuracy",
        "What the 18 claims need</summary>",
        "<strong>Training labels.</strong> No label was made wrong",
    )
    assert "Figure 2 needs prompt_gce, linear_probe_gce, a second rate of symmetric" in as_they_are
    for vacuous in (
        "Not enough runs</span>",
        "How verdicts are reached",
        "every rate",
        "0 % wrong",
    ):
        assert vacuous not in as_they_are
    assert "Label noise" not in as_they_are


def test_a_figure_without_wrong_labels_names_no_rates(tmp_path):
    folder = reported(tmp_path / "mine", fps=(0,))
    for name in ("overview", "classes_icons", "confusion_icons", "learning_icons"):
        drawn = (folder / f"figures/{name}.svg").read_text()
        assert "wrong" not in drawn, name
        assert "labels as they are" in drawn.lower(), name


def test_every_seed_has_a_column(tmp_path):
    runs = read_parquet(study(tmp_path / "toy") / "runs.parquet", RUNS)
    text = unpadded(seeds_markdown(runs))
    assert "| Data set | Method | Backbone | Noise | Rate (%) | Seed 1 | Seed 2 | Seed 3 |" in text
    row = runs[(runs.method == "prompt_ce") & (runs.fp == 8)].sort_values("seed").accuracy
    numbers = " | ".join(f"{value:.2f}" for value in row)
    assert f"| Icons | Prompt tuning | mini-RN | Random | 50 | {numbers} |" in text
    untrained = runs[runs.method == "zero_shot"]
    assert seeds_markdown(untrained) == "Nothing was trained, so there are no seeds.\n"


def test_classes_are_listed_from_the_hardest_up_to_a_limit():
    def accuracy(classes: int) -> pd.DataFrame:
        frame = pd.DataFrame({"class_name": [f"class {n}" for n in range(classes)]})
        frame["mean"] = [float(classes - number) for number in range(classes)]
        return frame.assign(method="prompt_ce", images=5, rate=50.0)

    text = unpadded(classes_markdown(accuracy(3), "Icons", "symmetric"))
    assert text.startswith("**Accuracy (%) of every class of Icons:** random noise, 50 % wrong")
    assert in_this_order(text, "| class 2 | 5 | 1.0 |", "| class 1 |", "| class 0 |")
    many = classes_markdown(accuracy(LISTED + 1), "Icons", "symmetric")
    assert f"the {LISTED} hardest classes" in many
    assert "class 0 " not in many


def test_the_settings_of_study_noise_data_and_methods_are_stated(tmp_path):
    config = yaml.safe_load((study(tmp_path / "toy") / "config.yaml").read_text())
    config["methods"]["prompt_ce"] = {"epochs": 50, "learning_rate": 0.002, "q": 0.7}
    text = unpadded(settings_markdown({**config, "views": 50}))
    assert "| views | 50 |" in text
    assert "| seeds | 1 2 3 4 |" in text
    assert (
        "| symmetric | Flip exactly `fp` labels of every class, uniformly to the other classes. "
        "| fps 0 8 |"
    ) in text
    assert "| Icons | an icon of a {}. |" in text
    assert "| Prompt tuning | prompt_ce | epochs 50, learning_rate 0.002, q 0.7 |" in text


def test_markup_in_class_names_is_escaped(tmp_path):
    assert "apple" in CLASSES
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.unit.made_up.CLASSES", ("<b>apple", "bell", "car"))
        page = (reported(tmp_path / "toy") / "report.html").read_text()
    assert "<b>apple" not in page
    assert "&lt;b&gt;apple" in page
