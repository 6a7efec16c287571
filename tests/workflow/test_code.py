"""What runs again after an edit of the code, and the reason that Snakemake gives."""

import re
from dataclasses import replace

import pytest
import yaml

from ptnl.study.protocols import merged
from tests.unit.test_docs import BLOCK
from tests.workflow.conftest import ROOT, Study, copy_checkout

SUMMARIES = {
    "all": 1,
    "collect_runs": 1,
    "check_claims": 1,
    "make_table": 6,
    "make_overview": 1,
    "collect_details": 1,
    "collect_predictions": 1,
    "select_hard_images": 1,
    "plot_details": 1,
    "plot_figure": 4,  # all but those of gradients and of random prompts
    "report_cost": 1,
    "report_noise": 1,
    "write_report": 1,
}


@pytest.fixture
def edited(pretended, tmp_path) -> Study:
    """A study that has run, and a checkout that a test may edit."""
    return replace(pretended, checkout=copy_checkout(tmp_path / "checkout"))


def edit(study: Study, file: str, old: str, new: str) -> None:
    path = study.checkout / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_another_checkout_and_new_comments_rerun_nothing(edited):
    edit(edited, "ptnl/training/losses.py", "-log p(label) (paper, Eq. 2).", "Another docstring.")
    edit(edited, "ptnl/training/losses.py", "def cross_entropy(", "# Why.\ndef cross_entropy(")
    edit(edited, "ptnl/cli/entry.py", "bad input is one sentence", "bad input is a sentence")
    assert edited.planned() == {}


def test_an_edited_loss_reruns_its_methods_and_is_named_as_the_reason(edited):
    edit(edited, "ptnl/training/losses.py", "torch.expm1(q *", "torch.expm1(1.0 * q *")
    planned = edited.planned()
    # prompt_gce, linear_probe_gce, and the methods whose losses build on the MAE: prompt_sce,
    # prompt_nce_rce.
    assert planned.pop("tune_method_symmetric") == 4
    assert planned.pop("tune_method_pseudo_random") == 1  # robust_upl_gce
    assert planned.pop("ensemble_runs") == 1
    assert planned == SUMMARIES
    said = edited.snakemake("--dry-run")
    assert re.search(
        r"before: .training\.losses: [^\n]*\bgeneralised_cross_entropy \w{8}\b[^\n]* now: ",
        said.stdout + said.stderr,
    )


def add(study: Study, kinds: tuple[str, ...]) -> None:
    """Add the page's blocks of some languages to the files that they name, as a reader would."""
    for kind, place, code in BLOCK.findall((ROOT / "workflow/docs/extending.md").read_text()):
        path = study.checkout / place
        if kind not in kinds:
            continue
        if kind == "python":
            path.write_text((path.read_text() if path.exists() else "") + "\n\n" + code)
        else:
            path.write_text(
                yaml.safe_dump(merged(yaml.safe_load(path.read_text()), yaml.safe_load(code)))
            )


def test_what_the_page_on_extending_adds_runs_and_nothing_else(edited):
    add(edited, ("python",))
    assert edited.planned() == {}
    add(edited, ("yaml",))
    planned = edited.planned()
    assert planned.pop("tune_method_symmetric") == 2  # prompt_smoothing and nearest_mean
    assert planned.pop("tune_method_lazy") == 3  # prompt_ce with both backbones, and the new one
    assert planned.pop("inject_noise_lazy") == 2  # seeds
    # All six figures, because each reads the titles of the study's methods.
    assert planned == {**SUMMARIES, "plot_figure": 6, "write_config": 1}


def test_a_method_made_of_existing_parts_takes_one_file_and_one_training(edited):
    four = "prompt_ctx4"
    method = '    "prompt_ctx2": Method("Ctx-2", "prompt", "ce"),\n'
    edit(edited, "ptnl/methods/__init__.py", f'    "{four}"', f'{method}    "{four}"')
    assert edited.planned() == {}
    asked = "  prompt_ctx2: { context_length: 2 }\n"
    edit(edited, "config.yaml", f"  {four}: {{}}", f"{asked}  {four}: {{}}")
    planned = edited.planned()
    assert planned.pop("tune_method_symmetric") == 1
    assert planned == {**SUMMARIES, "plot_figure": 6, "write_config": 1}


@pytest.mark.parametrize(
    ("name", "word", "files"),
    [
        ("prompt_smoothing", "smoothing", ["training/losses", "methods/__init__"]),
        ("nearest_mean", "nearest", ["methods/nearest_mean", "methods/__init__"]),
    ],
)
def test_a_new_loss_or_a_new_module_takes_two_files_and_one_training(edited, name, word, files):
    """As the page on extending has it; beside them the study asks for the method."""
    config = edited.checkout / "config.yaml"
    pages = BLOCK.findall((ROOT / "workflow/docs/extending.md").read_text())
    touched = []
    for kind, place, code in pages:
        if kind == "python" and word in code and place != "ptnl/labels/noise.py":
            path = edited.checkout / place
            path.write_text((path.read_text() if path.exists() else "") + "\n\n" + code)
            touched.append(place)
    assert touched == [f"ptnl/{file}.py" for file in files]
    assert edited.planned() == {}
    said = next(
        methods
        for kind, place, code in pages
        if kind == "yaml" and place == "config.yaml"
        if (methods := yaml.safe_load(code).get("methods"))
    )
    asked = {"methods": {name: said[name]}}
    config.write_text(yaml.safe_dump(merged(yaml.safe_load(config.read_text()), asked)))
    planned = edited.planned()
    assert planned.pop("tune_method_symmetric") == 1
    assert planned == {**SUMMARIES, "plot_figure": 6, "write_config": 1}
