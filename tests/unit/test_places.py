"""Names and paths in a config: `~` and variables are expanded, and wrong ones refused."""

import datetime

import pytest

from ptnl.errors import InputError
from ptnl.study.config import study_of


def study(root, **config) -> dict:
    return study_of(root, config)


def test_home_and_environment_are_expanded_in_every_path(root, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("SCRATCH", "/scratch/me")
    only = {"methods": ["prompt_ce"]}
    full = study(
        root,
        data_root="~/data",
        sources=["$SCRATCH/mirror.yaml"],
        pathvars={"results": "${SCRATCH}/results"},
        datasets=["a", "b", "dtd"],
        dataset_options={
            "a": {"folder": "~/a", "template": "{} of $SCRATCH."},
            "b": {"manifest": "$SCRATCH/b.csv", "images": "$SCRATCH/b", "template": "{}."},
            "dtd": {"source": "~/DTD"},
        },
        backbones={
            "mini-rn": {},
            "ours": {"model": "~/ours.json", "weights": "$SCRATCH/ours.pt", **only},
            "theirs": {"model": "RN50", "pretrained": "openai", **only},
        },
    )
    assert full["data_root"] == "/home/me/data"
    assert full["sources"] == ["/scratch/me/mirror.yaml"]
    assert full["pathvars"] == {"results": "/scratch/me/results"}
    options = full["dataset_options"]
    assert options["a"] == {"folder": "/home/me/a", "template": "{} of $SCRATCH."}
    assert (options["b"]["manifest"], options["b"]["images"]) == (
        "/scratch/me/b.csv",
        "/scratch/me/b",
    )
    assert options["dtd"] == {"source": "/home/me/DTD"}
    assert full["backbones"]["ours"] == {
        "model": "/home/me/ours.json",
        "weights": "/scratch/me/ours.pt",
        **only,
    }
    assert full["backbones"]["theirs"]["model"] == "RN50"


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"data_root": "$NOWHERE/data"}, "data_root: .* environment variable NOWHERE is not set"),
        ({"data_root": "~nobody-here/data"}, "data_root: .*no such user"),
        ({"data_root": "data/{x}"}, "data_root: .* holds '{'.*link"),
        ({"sources": ["a\nb.yaml"]}, r"sources: .* holds '\\n'"),
        ({"study": ".."}, "study: the name '..' begins with '.'"),
        ({"study": "-rf"}, "study: the name '-rf' begins with '-'"),
        ({"study": "a/b"}, "study: the name 'a/b' holds other characters"),
        ({"study": "mine\n"}, r"study: the name 'mine\\n' holds other characters"),
        ({"study": "a" * 300}, "study: a name of 300 characters; 100 are the most"),
        (
            {"backbones": {"mini-rn": {}, "a b": {"model": "x", "weights": "y"}}},
            "backbones: .*'a b'",
        ),
        ({"dataset_options": {"../x": {"folder": "x"}}}, "dataset_options: .*'../x'"),
        ({"device": "cpu\n"}, r"device: 'cpu\\n' does not match"),
        # YAML reads 2024_11_05, 2024-11-05 and on as these values.
        ({"study": 20241105}, "study: 20241105 is not of type 'string'; put it in quotes"),
        ({"study": datetime.date(2024, 11, 5)}, "study: .*put it in quotes"),
        ({"study": True}, "study: True .*put it in quotes"),
        ({"dataset_options": {101: {"folder": "x"}}}, "dataset_options: the key 101 .*quotes"),
    ],
)
def test_what_cannot_be_a_name_or_a_path_is_refused(root, config, sentence):
    with pytest.raises(InputError, match=rf"^config: {sentence}"):
        study(root, **config)


def test_a_date_in_quotes_is_a_name(root):
    assert study(root, study="2024_11_05")["study"] == "2024_11_05"
