"""The workflow runs from any folder and with a read-only checkout, and another can import it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.blocks import DOCS, blocks_of
from tests.snapshot import snapshot
from tests.warm import called
from tests.workflow.conftest import ROOT, SMOKE, Study, copy_checkout


@pytest.fixture
def folder(tmp_path) -> Path:
    """An empty folder, as a user might have."""
    folder = tmp_path / "meine Übung"
    folder.mkdir()
    return folder


@pytest.fixture
def read_only(tmp_path) -> Iterator[Path]:
    """A checkout that nobody can write into."""
    checkout = copy_checkout(tmp_path / "check out")
    if os.geteuid() != 0:
        subprocess.run(["chmod", "-R", "a-w", checkout], check=True)
        yield checkout
        subprocess.run(["chmod", "-R", "u+w", checkout], check=True)
        return
    bind = ["mount", "--bind", "-o", "ro", checkout, checkout]  # root may write whatever the mode
    if subprocess.run(bind, capture_output=True, check=False).returncode:
        pytest.skip("root may not mount here, so no checkout can be made read-only")
    yield checkout
    subprocess.run(["umount", checkout], check=True)


def snakemake(folder: Path, *arguments, imports: bool = False) -> str:
    """Call Snakemake with hardly any environment variables; what it prints.

    imports : call it by its path, in a process that has imported nothing yet
    """
    environment = {
        "PATH": os.pathsep.join(["/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(folder.parent),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
    }
    words = list(map(str, arguments))
    if imports:
        path = Path(sys.executable).with_name("snakemake")
        said = subprocess.run(
            [path, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
    else:
        said = called(["snakemake", *words], folder, environment)
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout + said.stderr


def test_it_runs_from_an_empty_folder_with_a_read_only_checkout(folder, read_only):
    """As far as confusion noise, which takes data, draws, features and the text tower."""
    before = snapshot(read_only)
    targets = ["manifests", "noise", "pseudolabels"]
    target = "results/smoke/noise/symbols/confusion/fp-8/seed-1.parquet"
    study = ["--snakefile", read_only / "Snakefile", "--cores", "2"]
    overlay = ["--configfile", read_only / "workflow/studies/smoke.yaml"]
    snakemake(folder, *study, target, *overlay, imports=True)
    assert {path.name for path in folder.iterdir()} == {".snakemake", "results"}
    assert {path.name for path in (folder / "results").iterdir()} == {"data", "smoke"}
    assert (folder / target).is_file()
    assert set(targets) <= {path.name for path in (folder / "results/smoke").iterdir()}
    again = snakemake(folder, *study, "--dry-run", target, *overlay, imports=True)
    assert "Nothing to be done" in again
    assert snapshot(read_only) == before


def test_it_runs_where_paths_have_blanks(folder):
    overlay = folder / "mine.yaml"
    overlay.write_text("study: 2024-11_a\ndatasets: [symbols]\ndata_root: my data\n")
    target = "results/2024-11_a/shots/symbols/seed-1.parquet"
    snakemake(folder, "-s", ROOT / "Snakefile", "-c1", target, "--configfile", "mine.yaml")
    assert (folder / target).is_file()
    assert (folder / "my data/symbols/receipt.json").is_file()


RULE = """
rule mine:
    input: "results/smoke/manifests/symbols.parquet"
    output: "mine.txt"
    shell: "wc -c {input:q} > {output:q}"
"""


def test_another_workflow_can_import_it_as_a_module(folder):
    said = yaml.safe_load(SMOKE.read_text())
    (folder / "config.yaml").write_text(yaml.safe_dump({"ptnl": said}))
    blocks = blocks_of(DOCS / "running.md")
    (module,) = (block.code for block in blocks if "module ptnl" in block.code)
    module = module.replace("/home/me/ptnl/Snakefile", str(ROOT / "Snakefile"))
    (folder / "Snakefile").write_text('configfile: "config.yaml"\n' + module + RULE)
    snakemake(folder, "-c1", "mine.txt")
    assert "manifests/symbols.parquet" in (folder / "mine.txt").read_text()
    whole = Study.create(folder / "alone").planned()
    planned = snakemake(folder, "-c1", "--dry-run", "--quiet", "rules", "--", "report")
    for rule in ("tune_method_symmetric", "plot_figure", "write_report"):
        assert f"{rule} {whole[rule]}" in " ".join(planned.split())
