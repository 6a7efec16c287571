"""Every code block of the documentation is tested, or says what a test machine lacks for it."""

import re

import pytest
import yaml
from snakemake.cli import get_argument_parser

from ptnl.labels.noise import NOISES
from ptnl.methods import METHODS
from ptnl.study.config import Rules, study_config
from ptnl.study.protocols import merged
from ptnl.training.losses import LOSSES
from tests.blocks import DOCS, LACKS, Block, all_blocks, blocks_of, first_line

# A section of the page on equations names its source in one of these ways.
SOURCE = r"https://|arXiv|CVPR|paper's|[Ss]ection|Figure"
BLOCKS = all_blocks()
CONFIGS = [block for block in BLOCKS if block.language == "yaml" and not block.note]
PROFILES = [block for block in BLOCKS if first_line(block).startswith("profiles/")]


def test_every_block_is_run_or_says_why_not(root):
    assert len(BLOCKS) > 60
    for block in BLOCKS:
        assert block.language in ("bash", "python", "yaml"), f"{block}: which language?"
        if block.note == "tested by":
            assert block.page in (root / block.reason).read_text(), block
        elif block.note == "dry run":
            assert re.search(r"^(snakemake|make) ", block.code, flags=re.M), block
        elif block.note == "not run":
            lacking, _, why = block.reason.partition(": ")
            assert lacking in LACKS, f"{block}: {block.reason}"
            assert why, f"{block}: why is {lacking} needed?"
    assert {block.reason.partition(": ")[0] for block in BLOCKS if block.note == "not run"} == {
        *LACKS
    }


def test_a_block_is_found_with_its_note(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# Title\n\n<!-- not run: SLURM: there is none -->\n```bash\nsbatch\n```\n\n"
        "    indented\n\n```{toctree}\npage\n```\n"
    )
    assert blocks_of(page) == [
        Block("page.md", 4, "bash", "sbatch\n", "not run", "SLURM: there is none"),
        Block("page.md", 8, "", "indented\n"),
    ]


@pytest.mark.parametrize("block", CONFIGS, ids=str)
def test_every_config_is_valid(root, block):
    assert first_line(block) == "config.yaml"
    config = yaml.safe_load((root / "config.yaml").read_text())
    study_config(merged(config, yaml.safe_load(block.code)), Rules.shipped())


@pytest.mark.parametrize("block", PROFILES, ids=str)
def test_every_profile_holds_only_options_of_snakemake(block):
    profile = yaml.safe_load(block.code)
    known = {
        option.removeprefix("--")
        for action in get_argument_parser()._actions
        for option in action.option_strings
    }
    plugins = f"{profile['executor']}-"
    assert [key for key in profile if key not in known and not key.startswith(plugins)] == []


def test_every_method_loss_and_noise_has_its_equation_and_source():
    page = (DOCS / "equations.md").read_text()
    named = set(re.findall(r"`(\w+)`", page))
    assert set(METHODS) | set(LOSSES) | set(NOISES) <= named
    for section in re.split(r"^### ", page.split("## Losses", 1)[1], flags=re.M)[1:]:
        assert re.search(SOURCE, section), section


def test_the_page_on_stages_names_every_rule(root):
    """It names no other rule, either."""
    rules = "".join(path.read_text() for path in sorted((root / "workflow/rules").glob("*.smk")))
    written = set(re.findall(r"^rule (\w+):", rules, flags=re.M))
    written |= {f"{name}_<noise>" for name in re.findall(r'f"(\w+)_\{noise\}', rules)}
    page = (DOCS / "stages.md").read_text()
    named = set(re.findall(r"`([a-z_]+(?:<noise>)?)`", page))
    assert written - named == set()
    tabled = re.findall(r"^\| ((?:`[\w<>]+`(?:, )?)+) \|", page, flags=re.M)
    assert {name for cells in tabled for name in re.findall(r"`([^`]+)`", cells)} <= written


def links(text: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in headings}


@pytest.mark.parametrize(
    "page", ["README.md", *(f"workflow/docs/{p.name}" for p in DOCS.glob("*.md"))]
)
def test_every_link_inside_the_repository_has_a_target(root, page):
    text = (root / page).read_text()
    for link in links(text):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = (root / page).parent / path if path else root / page
        assert target.exists(), f"{page}: {link}"
        # The headings of a generated page exist only once it is built; the build checks such links.
        if anchor and "<!-- generated: " not in target.read_text():
            assert anchor in anchors(target.read_text()), f"{page}: {link}"
