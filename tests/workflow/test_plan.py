"""What the workflow plans, and how it refuses bad input."""

import json
import re
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from tests.warm import called
from tests.workflow.conftest import ROOT, SMOKE, Study

PAPER = ROOT / "workflow/studies/paper.yaml"
COUNTS = ("--quiet", "rules")  # print how many jobs of each rule there are, and not the jobs
THREE = ["zero_shot", "prompt_ce", "linear_probe"]  # methods


@dataclass(frozen=True)
class Plan:
    """A study that has not run, and what Snakemake would do."""

    study: Study
    said: str

    @property
    def jobs(self) -> dict[str, int]:
        """Rule -> number of jobs."""
        table = self.said.split("Job stats:\n")[-1].split("\n\n")[0]
        counts = [line.split() for line in table.splitlines()[2:]]
        return {rule: int(count) for rule, count in counts if rule != "total"}


def plan_of(study: Study, *arguments: str) -> Plan:
    said = study.snakemake("--dry-run", *arguments)
    assert said.returncode == 0, said.stdout + said.stderr
    return Plan(study, said.stdout + said.stderr)


@pytest.fixture(scope="module")
def embedded(tmp_path_factory) -> Plan:
    return plan_of(Study.create(tmp_path_factory.mktemp("embedded"), None))


@pytest.fixture(scope="module")
def paper(tmp_path_factory) -> Plan:
    return plan_of(Study.create(tmp_path_factory.mktemp("paper"), PAPER), *COUNTS)


@pytest.fixture(scope="module")
def unrun(tmp_path_factory) -> Plan:
    """The smoke study."""
    return plan_of(Study.create(tmp_path_factory.mktemp("unrun")), *COUNTS)


def test_the_jobs_of_the_embedded_study(embedded):
    assert embedded.jobs == {
        "all": 1,
        "download_dataset": 2,
        "index_dataset": 2,
        "sample_shots": 2 * 4,
        "inject_noise_symmetric": 2 * 4,
        "inject_noise_confusion": 2 * 4,
        "encode_images": 2 * 2,
        "pseudolabel_zeroshot": 2 * 2,
        "sample_pseudolabels": 2 * 2,
        "evaluate_random_prompts": 2,
        "tune_method_symmetric": 2 * (16 + 2),  # mini-rn and mini-vit
        "tune_method_confusion": 2 * 2,
        "tune_method_pseudo_confident": 2,
        "tune_method_pseudo_random": 2 * 2,
        "finetune_backbone_symmetric": 2,
        "ensemble_runs": 1,
        "collect_runs": 1,
        "collect_gradients": 1,
        "check_claims": 1,
        "check_zeroshot": 1,
        "report_data": 1,
        "report_noise": 1,
        "report_cost": 1,
        "make_table": 6,  # Tables 6, 7 and 9 would repeat Tables 1, 2 and 4
        "plot_figure": 6,
        "write_config": 1,
        "make_overview": 1,
        "collect_details": 2,
        "collect_predictions": 1,
        "select_hard_images": 1,
        "plot_details": 2,
        "write_report": 1,
    }


def test_what_trainings_wait_for_starts_first_and_then_the_longest_trainings(embedded):
    stated = re.findall(
        r"^(?:local)?rule (\w+):\n"
        r"(?:    .*\n)*?    wildcards: (.*)\n"
        r"(?:    .*\n)*?    priority: (.*)",
        embedded.said,
        re.MULTILINE,
    )
    priority = {(rule, wildcards): float(number) for rule, wildcards, number in stated}
    trainings = {job for job in priority if job[0].startswith(("tune_", "finetune_"))}
    assert {number for job, number in priority.items() if job not in trainings} == {1}
    waited_for = ("download", "index", "sample", "inject", "encode_images", "pseudolabel")
    assert all(any(rule.startswith(w) for rule, _ in priority) for w in waited_for)
    order = sorted(trainings, key=priority.__getitem__, reverse=True)
    methods = [wildcards.split(", ")[2:] for _, wildcards in order]
    assert methods[:6] == 2 * [[]] + 2 * [["method=text_finetune"]] + 2 * [["method=prompt_ce"]]
    assert all(0 < priority[job] < 1 for job in trainings)
    # Nothing is trained in Ctx-0. Its priority is 0, which Snakemake does not print.
    assert len(trainings) == 2 * (15 + 2 + 2 + 1 + 2 + 1)


def test_the_jobs_of_the_papers_study(paper):
    assert paper.jobs == {
        "all": 1,
        "fetch_backbone": 2,
        "fetch_image_encoder": 1,
        "download_dataset": 8,
        "index_dataset": 8,
        "sample_shots": 8 * 4,
        "inject_noise_symmetric": 8 * 4,
        "inject_noise_confusion": 7 * 4,
        "encode_images": 8 * 2,
        "encode_views": 8 * 2 * 4,
        "pseudolabel_zeroshot": 8,
        "sample_pseudolabels": 8 * 2,
        "evaluate_random_prompts": 7,  # not on ImageNet
        # RN50: 11 methods on seven data sets, 5 more on four of them, 1 on ImageNet; ViT-B/32: 1.
        "tune_method_symmetric": 11 * 7 + 5 * 4 + 1 + 8,
        "tune_method_confusion": 2 * 7,
        "tune_method_pseudo_confident": 8,
        "tune_method_pseudo_random": 2 * 8,
        "finetune_backbone_symmetric": 2,  # DTD and UCF101
        "ensemble_runs": 1,
        "collect_runs": 1,
        "collect_gradients": 1,
        "check_claims": 1,
        "report_noise": 1,
        "report_cost": 1,
        "report_data": 1,
        "check_zeroshot": 1,
        "make_table": 9,
        "plot_figure": 7,
        "write_config": 1,
        "make_overview": 1,
        "collect_details": 8,
        "collect_predictions": 1,
        "select_hard_images": 1,
        "plot_details": 8,
        "write_report": 1,
    }


def counts_as_snakemake_does(plan: Plan) -> None:
    command = ["ptnl", "plan", "--json", "--configfile", str(plan.study.overlay)]
    said = called(command, plan.study.folder)
    assert said.returncode == 0, said.stderr
    steps = json.loads(said.stdout)["steps"]
    counted = {step["rule"]: step["missing"] for step in steps if step["rule"] != "total"}
    assert plan.jobs == {**counted, "all": 1}
    assert all(step["cached"] == 0 for step in steps)


def test_ptnl_plan_counts_the_jobs_of_shipped_studies(embedded, paper):
    counts_as_snakemake_does(embedded)
    counts_as_snakemake_does(paper)


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        (SMOKE, {"views": 2}),
        (SMOKE, {"protocol": "released", "noise": {"fp_swap": {"fps": [0, 8]}}}),
        (PAPER, {"protocol": "released"}),
        (PAPER, {"fuse": False, "seeds": [1, 2]}),
        (SMOKE, {"seeds": list(range(1, 19))}),
    ],
)
def test_ptnl_plan_counts_as_snakemake_does(tmp_path, base: Path, changes: dict):
    counts_as_snakemake_does(plan_of(Study.create(tmp_path, base, **changes), *COUNTS))


def test_ptnl_plan_says_what_snakemake_would_run_and_why(pretended, tmp_path, monkeypatch):
    """One setting was edited, and the files of one run were lost."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    config = yaml.safe_load(pretended.overlay.read_text())
    config["methods"]["prompt_gce"] = {**config["methods"]["prompt_gce"], "epochs": 3}
    edited = replace(pretended, overlay=tmp_path / "edited.yaml")
    edited.overlay.write_text(yaml.safe_dump(config))
    lost = pretended.path("<results>/runs/symbols/mini-rn/prompt_ce/symmetric/fp-8/seed-2")
    lost.rename(tmp_path / "kept")
    try:
        said = called(["ptnl", "plan", "--study", str(edited.overlay)], edited.folder)
        assert said.returncode == 0, said.stderr
        planned = edited.planned()
    finally:
        (tmp_path / "kept").rename(lost)
    (line,) = [line for line in said.stdout.splitlines() if line.startswith("tune_method ")]
    assert line.split()[1:3] == ["2", "23"]
    assert "1 not there yet" in line
    assert "1 epochs: 2 became 3" in line
    (line,) = [line for line in said.stdout.splitlines() if line.startswith("total")]
    assert int(line.split()[1]) == sum(planned.values()) - planned["all"]
    assert len(said.stdout.splitlines()) <= 23


@pytest.mark.parametrize("setting", ["fuse=False", "fuse=false", "views=2", "seeds=[1]", "fuse"])
def test_ptnl_plan_reads_settings_as_snakemake_does(tmp_path, setting):
    """The same jobs where Snakemake plans, the same sentence where it refuses."""
    study = Study.create(tmp_path)
    command = ["ptnl", "plan", "--json", "--study", str(study.overlay), "--config", setting]
    said = called(command, tmp_path)
    asked = study.snakemake("--dry-run", "--config", setting)
    assert (said.returncode == 0) == (asked.returncode == 0)
    if said.returncode:
        sentence = said.stderr.strip().removeprefix("error: ").partition(": ")[2]
        assert sentence in asked.stdout + asked.stderr
        return
    steps = json.loads(said.stdout)["steps"]
    counted = {step["rule"]: step["missing"] for step in steps if step["rule"] != "total"}
    assert Plan(study, asked.stdout + asked.stderr).jobs == {**counted, "all": 1}


def test_a_grid_of_2000_runs_is_planned(tmp_path):
    seeds = list(range(1, 17))
    planned = Study.create(tmp_path, base=None, seeds=seeds).planned()
    parts = [jobs for rule, jobs in planned.items() if rule.startswith("tune_method_symmetric")]
    assert parts == 4 * [2 * (16 + 2)]  # of four seeds each
    assert planned["inject_noise_symmetric"] == 2 * len(seeds)
    assert 2 * (16 + 2) * 4 * len(seeds) > 2000


def test_more_seeds_leave_finished_runs_as_they_are(tmp_path):
    changes = {"datasets": ["symbols"], "methods_only": ["zero_shot", "prompt_ce", "finetune"]}
    study = Study.create(tmp_path, base=None, seeds=[1, 2, 3, 4], **changes)
    study.pretend()
    overlay = yaml.safe_load(study.overlay.read_text())
    study.overlay.write_text(yaml.safe_dump({**overlay, "seeds": [1, 2, 3, 4, 5, 6]}))
    trainings = {
        rule: jobs
        for rule, jobs in study.planned().items()
        if rule.startswith(("tune_method", "finetune_backbone"))
    }
    assert trainings == {
        "tune_method_symmetric_part_2": 2,  # with mini-rn and mini-vit
        "finetune_backbone_symmetric_part_2": 1,
        "tune_method_confusion": 1,  # a job holds 16 runs, so it is not full yet
    }


def test_views_are_encoded_once_a_seed(unrun, tmp_path):
    """They serve all methods that train in epochs, and all noise rates."""
    assert "encode_views" not in unrun.jobs
    assert Study.create(tmp_path, views=2).planned()["encode_views"] == 2 * 2
    assert Study.create(tmp_path, views=2, fuse=False).planned()["encode_views"] == 2 * 2
    probes = {name: {"methods": ["linear_probe"]} for name in ("mini-rn", "mini-vit")}
    assert "encode_views" not in Study.create(tmp_path, views=2, backbones=probes).planned()


def test_gpu_slots_do_no_harm_without_a_gpu(tmp_path, monkeypatch):
    """The plan is the same as with GPUs; a run says once that models run on the CPU."""
    study = Study.create(tmp_path)
    assert study.planned("all_tables", "--resources", "gpu=2")["make_table"] == 6
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    target = study.results / "pseudolabels/symbols/mini-rn.parquet"
    said = study.snakemake(str(target), "--resources", "gpu=2")
    assert said.returncode == 0, said.stdout + said.stderr
    assert (said.stdout + said.stderr).count("No GPU on this machine: models run on the CPU.") == 1
    log = study.results / "logs/pseudolabel_zeroshot/symbols/mini-rn.log"
    assert "device: cpu (torch finds no GPU; CUDA_VISIBLE_DEVICES: )" in log.read_text()


@pytest.mark.parametrize("name", ["gpu", "slurm"])
def test_a_profile_plans_the_same(unrun, name):
    if name == "slurm" and find_spec("snakemake_executor_plugin_slurm") is None:
        pytest.skip("no snakemake-executor-plugin-slurm here: `make test-slurm` installs it")
    assert unrun.study.planned("--profile", str(ROOT / f"profiles/{name}")) == unrun.jobs


def test_a_comment_explains_every_key_of_a_profile():
    for profile in ROOT.glob("profiles/*/config.yaml"):
        lines = profile.read_text().splitlines()
        for before, line in zip(["", *lines], lines, strict=False):
            assert before.startswith("#") or not re.match(r"\w", line), f"{profile}: {line}"


def test_data_and_results_go_where_the_config_says(tmp_path):
    """The key `data_root` and the path variable `results` may be absolute, as on a scratch disk."""
    study = Study.create(tmp_path, data_root=str(tmp_path / "scratch"))
    overlay = yaml.safe_load(study.overlay.read_text())
    del overlay["pathvars"]["data"]
    study.overlay.write_text(yaml.safe_dump(overlay))
    target = study.results / "manifests/symbols.parquet"
    said = study.snakemake(str(target))
    assert said.returncode == 0, said.stdout + said.stderr
    assert target.is_file()
    assert (tmp_path / "scratch/symbols/receipt.json").is_file()


@pytest.mark.parametrize(
    ("protocol", "noise", "seeds", "parts"),
    [
        ("paper", "symmetric", 4, 1),
        ("released", "fp_swap", 4, 1),
        ("nlprompt", "symmetric_global", 10, 5),
    ],
)
def test_one_key_chooses_a_protocol(tmp_path, protocol, noise, seeds, parts):
    study = Study.create(tmp_path, base=None, protocol=protocol, datasets=["symbols"])
    planned = study.planned()
    assert planned[f"inject_noise_{noise}"] == seeds
    trainings = [jobs for rule, jobs in planned.items() if rule.startswith(f"tune_method_{noise}")]
    assert trainings == parts * [16 + 2]
    assert (planned["make_table"], planned["plot_figure"]) == (6, 6)


def test_confusion_noise_waits_for_zero_shot_predictions(tmp_path):
    study = Study.create(tmp_path, noise={"confusion": {"fps": [8]}})
    confusion = study.results / "noise/symbols/confusion/fp-8/seed-1.parquet"
    assert study.planned(str(confusion))["pseudolabel_zeroshot"] == 1
    symmetric = study.results / "noise/symbols/symmetric/fp-8/seed-1.parquet"
    assert "pseudolabel_zeroshot" not in study.planned(str(symmetric))


@pytest.mark.parametrize("target", ["table1", "figure2", "all_tables", "all_figures"])
def test_tables_and_figures_are_targets_by_name(unrun, target):
    planned = unrun.study.planned(target)
    assert planned["collect_runs"] == 1
    assert ("make_table" in planned) == ("table" in target)
    assert ("plot_figure" in planned) == ("figure" in target)
    assert ("make_overview" in planned) == ("all" in target)


@pytest.mark.parametrize(
    ("target", "sentence"),
    [
        ("figure2", "Figure 2 needs prompt_gce, linear_probe_gce."),
        ("table7", "Table 7 needs more data sets than Table 2 shows."),
        ("{results}/figures/figure5.svg", "Figure 5 needs prompt_ctx0, prompt_ctx4, prompt_ctx8, "),
        (
            "{results}/figures/figure3.svg",
            "There is no Figure 3; there are 1, 2, 4, 5, 6, 8, 9, 10, 11.",
        ),
        ("{results}/tables/table12.md", "There is no Table 12; there are 1, 2, 3, 4, 5, 6, 7, "),
    ],
)
def test_asking_for_what_the_study_cannot_fill_says_why(tmp_path, target, sentence):
    study = Study.create(tmp_path, methods_only=THREE)
    said = study.snakemake("--dry-run", target.format(results=study.results))
    assert said.returncode != 0
    assert sentence in said.stdout + said.stderr


def test_all_figures_are_those_that_the_study_can_fill(tmp_path):
    planned = Study.create(tmp_path, methods_only=THREE).planned("all_figures")
    assert planned["make_overview"] == 1
    assert "make_table" not in planned


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"shot": 16}, "config: unknown key 'shot' (did you mean 'shots'?)"),
        (
            {"methods": {"promt_ce": {}}},
            "unknown key 'methods.promt_ce' (did you mean 'prompt_ce'?)",
        ),
        (
            {"protocol": "papr"},
            "config: protocol: 'papr' is unknown (did you mean 'paper'?); choose from nlprompt,",
        ),
        ({"datasets": ["birds"]}, "or give your own: dataset_options.birds.folder or .manifest"),
        ({"shots": 4}, "config: noise.symmetric.fps: 8 wrong labels do not fit into 4 shots"),
    ],
)
def test_a_bad_config_is_answered_with_one_sentence(tmp_path, changes, sentence):
    said = Study.create(tmp_path, **changes).snakemake("--dry-run")
    assert said.returncode != 0
    assert sentence in said.stderr + said.stdout
    assert "Traceback" not in said.stderr + said.stdout
