"""The review page in a real browser: keys lead from the first image to downloaded decisions."""

import pandas as pd
import pytest

from ptnl.cli import audit
from ptnl.io import read_json
from tests.chromium import Browser, executable
from tests.own import TEMPLATE, icons, with_wrong_labels

pytestmark = pytest.mark.skipif(executable() is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    folder = tmp_path_factory.mktemp("review")
    labels, _ = with_wrong_labels(icons(folder, classes=4), 6)
    # A class name that must not be taken for markup, and that CSV has to quote.
    labels["label"] = labels.label.replace("bell", 'bell</script>, "loud"')
    labels.to_csv(folder / "labels.csv", index=False)
    asked = [str(folder / "images"), "--labels", str(folder / "labels.csv"), "--device", "cpu"]
    asked += ["--threads", "1", "--cache", str(folder / "cache"), "--template", TEMPLATE]
    audit.main([*asked, "-o", str(folder / "audit")])
    return folder / "audit"


@pytest.fixture
def browser(tmp_path):
    with Browser(tmp_path / "profile", tmp_path) as browser:
        yield browser


def downloaded(browser, folder) -> pd.DataFrame:
    browser.press("e")
    browser.wait_for("Browser.downloadProgress", state="completed")
    return pd.read_csv(folder / "decisions.csv", keep_default_na=False)


def test_keys_lead_from_the_first_image_to_corrected_labels(audited, browser, tmp_path):
    ranking = pd.read_csv(audited / "ranking.csv")
    browser.open(audited / "review.html")
    wanted = []
    for number, row in enumerate(ranking.itertuples()):
        assert browser.value("get('name').textContent") == row.image
        assert browser.value("get('label').textContent") == row.label
        assert browser.value("get('suggested').textContent") == row.suggested
        decision = ("suggestion", "keep", "drop", "unsure", "other")[number % 5]
        browser.press(decision[0])
        new = row.suggested if decision == "suggestion" else ""
        if decision == "other":
            new = 'bell</script>, "loud"'
            for letter in "loud":
                browser.press(letter)
            browser.press("Enter")
        wanted.append((row.image, row.label, decision, new))
    assert browser.value("get('bar').value") == len(ranking)
    decisions = downloaded(browser, tmp_path)
    assert list(decisions.itertuples(index=False, name=None)) == wanted
    audit.main(["--apply", str(tmp_path / "decisions.csv"), "-o", str(audited)])
    after = pd.read_csv(audited / "labels.corrected.csv").set_index("image").label.to_dict()
    expected = {image: new or label for image, label, decision, new in wanted if decision != "drop"}
    assert after == expected


def test_decisions_are_kept_and_can_be_undone(audited, browser, tmp_path):
    browser.open(audited / "review.html")
    first = browser.value("get('name').textContent")
    browser.press("k")
    browser.press("d")
    # With a new profile, Chromium now and then forgets what a page has just stored. So the test
    # reads what the page stored, and gives it to the page that opens next.
    kept = browser.value("JSON.stringify([store, localStorage.getItem(store)])")
    browser.run_before_scripts(f"localStorage.setItem(...{kept})")
    browser.open(audited / "review.html")
    assert browser.value("get('bar').value") == 2
    assert browser.value("get('place').textContent").startswith("3 of ")
    browser.press("ArrowLeft")
    browser.press("Backspace")
    decisions = downloaded(browser, tmp_path)
    assert decisions[["image", "decision"]].to_numpy().tolist() == [[first, "keep"]]


def test_the_page_requests_nothing_from_elsewhere(audited, browser):
    browser.open(audited / "review.html")
    browser.press("k")
    assert all(url.startswith(("file://", "data:image/webp")) for url in browser.requests())
    page = (audited / "review.html").read_text()
    assert page.count("</script>") == 1
    assert "http" not in page.replace(read_json(audited / "audit.json")["id"], "")


def test_five_thousand_images_stay_usable(audited, browser, tmp_path):
    """Each takes one key; only the images near the shown one are in the page."""
    page = (audited / "review.html").read_text()
    browser_copies = page.replace(
        "const items = data.items,",
        "data.items = Array.from({length: 5000}, (_, n) =>"
        " ({...data.items[n % data.items.length], image: n + '.png'}));\nconst items = data.items,",
    )
    (tmp_path / "many.html").write_text(browser_copies)
    browser.open(tmp_path / "many.html")
    assert browser.value("document.images.length") <= 9
    browser.value("for (let n = 0; n < 4990; n++) decisions[n + '.png'] = {decision: 'keep'}")
    browser.press("n")
    assert browser.value("get('place').textContent") == "4991 of 5000"
    for _ in range(10):
        browser.press("s")
    assert browser.value("get('bar').value") == 5000
    assert browser.value("document.images.length") <= 9
    assert len(downloaded(browser, tmp_path)) == 5000
