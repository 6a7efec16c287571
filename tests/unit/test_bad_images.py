"""Images that cannot be read are found before training, left out, and listed."""

import json

import pytest

from ptnl.analysis.data_report import data_table, markdown
from ptnl.cli import download_dataset, index_dataset, report_data
from ptnl.errors import InputError
from ptnl.io import read_metadata, read_parquet
from ptnl.schemas import MANIFEST


@pytest.fixture
def receipt(tmp_path):
    path = tmp_path / "symbols" / "receipt.json"
    manual = str(tmp_path / "manual")
    download_dataset.main(["--dataset", "symbols", "--manual", manual, "--out", str(path)])
    return path


def index(receipt, out, *options: str):
    command = ["--dataset", "symbols", "--receipt", str(receipt), "--out", str(out)]
    index_dataset.main([*command, *options])
    return read_parquet(out, MANIFEST), read_metadata(out)["settings"]["skipped"]


def spoil(receipt, images: list[str]) -> None:
    """Cut the first image short, and replace the second by a web page."""
    first, second = (receipt.parent / "images" / image for image in images)
    first.write_bytes(first.read_bytes()[:-40])
    second.write_text("<html>not found</html>")


def test_bad_images_are_left_out_and_listed(receipt, tmp_path, capsys):
    whole, nothing = index(receipt, tmp_path / "whole.parquet")
    assert nothing == []
    bad = whole.image.iloc[[7, 1200]].tolist()
    spoil(receipt, bad)
    out = tmp_path / "rest.parquet"
    rest, skipped = index(receipt, out, "--on-bad-image", "skip", "--threads", "2")
    assert skipped == bad
    assert rest.image.tolist() == [image for image in whole.image if image not in bad]
    printed = capsys.readouterr().err.splitlines()
    assert len(printed) == 2
    for line, image in zip(printed, bad, strict=True):
        assert line.startswith(f"skipped {receipt.parent / 'images' / image}: not readable")

    files = {kind: tmp_path / f"datasets.{kind}" for kind in ("csv", "md")}
    command = ["--manifests", str(out), "--study", "toy", "--csv", str(files["csv"])]
    norms = ["--norms", str(tmp_path / "norms.csv")]
    report_data.main([*command, *norms, "--markdown", str(files["md"])])
    page = files["md"].read_text()
    assert f"Skipped of Symbols: `{bad[0]}`, `{bad[1]}`." in page
    train, val, test = ((rest.split == split).sum() for split in ("train", "val", "test"))
    row = f"symbols,{rest.label.nunique()},{train},{val},{test},2"
    assert files["csv"].read_text().splitlines()[1] == row


def test_without_bad_images_skipping_changes_nothing(receipt, tmp_path):
    whole, _ = index(receipt, tmp_path / "whole.parquet")
    same, skipped = index(receipt, tmp_path / "same.parquet", "--on-bad-image", "skip")
    assert skipped == []
    assert same.equals(whole)


def test_a_missing_image_is_an_error_even_if_bad_ones_are_skipped(receipt, tmp_path):
    whole, _ = index(receipt, tmp_path / "whole.parquet")
    (receipt.parent / "images" / whole.image[3]).unlink()
    with pytest.raises(InputError, match="missing"):
        index(receipt, tmp_path / "rest.parquet", "--on-bad-image", "skip")


def test_the_data_report_says_nothing_if_no_image_was_skipped(receipt, tmp_path):
    whole, _ = index(receipt, tmp_path / "whole.parquet")
    table = data_table({"symbols": whole}, {"symbols": []})
    assert json.loads(table.to_json(orient="records"))[0]["skipped"] == 0
    assert "Skipped of" not in markdown(table, {"symbols": []}, "toy")
