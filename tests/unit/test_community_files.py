"""The files of `.github/` name only what exists, and GitHub runs the same checks as `.ci/run`."""

import re

import pytest
import yaml


@pytest.mark.parametrize("name", ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_files_that_they_name_exist(root, name):
    text = (root / ".github" / name).read_text()
    links = re.findall(r"\]\((?!https:)([^)]+)\)", text)
    files = re.findall(r"`((?:tests|ptnl|workflow|envs)/[\w./-]+)`", text)
    missing = [link for link in links if not (root / ".github" / link).exists()]
    assert missing + [file for file in files if not (root / file).exists()] == []


def test_make_targets_that_they_name_exist(root):
    targets = re.findall(r"^(\w+):.*##", (root / "Makefile").read_text(), re.MULTILINE)
    texts = [path.read_text() for path in (root / ".github").rglob("*.*") if path.is_file()]
    named = {target for text in texts for target in re.findall(r"\bmake (\w+)(?=[ `\n])", text)}
    assert {"check", "lint", "test", "unit"} <= named
    assert named <= set(targets)


def test_github_runs_what_ci_runs(root):
    jobs = yaml.safe_load((root / ".github/workflows/ci.yml").read_text())["jobs"]
    runs = {job["runs-on"]: [step.get("run") for step in job["steps"]] for job in jobs.values()}
    assert ".ci/run" in runs["ubuntu-latest"]
    assert "make unit" in runs["macos-latest"]
    for job in jobs.values():
        for step in job["steps"]:
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", step.get("uses", "a@" + 40 * "0"))


def test_a_commit_is_checked_by_make_lint_alone(root):
    config = yaml.safe_load((root / ".pre-commit-config.yaml").read_text())
    (source,) = config["repos"]
    (hook,) = source["hooks"]
    assert (source["repo"], hook["entry"], hook["language"]) == ("local", "make lint", "system")
