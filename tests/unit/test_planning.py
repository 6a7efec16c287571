"""The jobs of a study, which of them are left, and how long they will take."""

import json

import pytest
import torch

from ptnl.bench.machine_rates import measured_rates
from ptnl.data import datasets_of
from ptnl.data.counting import sizes_of
from ptnl.errors import InputError
from ptnl.fetch.sources import Source
from ptnl.io import read_json
from ptnl.study.calibration import Rates, keep_rates, read_rates
from ptnl.study.config import read_study
from ptnl.study.estimate import (
    DECODE_SECONDS,
    H200,
    STARTUP_SECONDS,
    UNSHARED_SECONDS,
    Machine,
    Plan,
    as_json,
    as_text,
    make_plan,
    of_peak,
)
from ptnl.study.job_records import Measured
from ptnl.study.jobs import study_jobs
from ptnl.study.operation_counts import MODELS, Work, encodings_a_step, training_gflops, work_of
from ptnl.study.planning import missing_files
from ptnl.study.reasons import NOT_THERE
from tests.unit.fresh_process import loaded


@pytest.fixture(scope="module")
def smoke(root) -> dict:
    return read_study(root, [root / "workflow/studies/smoke.yaml"], {})


@pytest.fixture(scope="module")
def paper(root) -> dict:
    return read_study(root, [root / "workflow/studies/paper.yaml"], {})


def outputs(jobs) -> set[str]:
    return {file for job in jobs for file in job.outputs}


def sizes(config: dict) -> dict:
    return sizes_of(config, datasets_of(config))


def planned(config: dict, measured=None, sources=(), here=None) -> Plan:
    """The plan of a study that has not begun."""
    jobs = study_jobs(config)
    left = dict.fromkeys(jobs, NOT_THERE)
    return make_plan(config, jobs, left, sizes(config), measured or {}, sources, here)


def test_overlays_and_the_command_line_override_the_protocol(root, tmp_path):
    overlay = tmp_path / "study.yaml"
    overlay.write_text("methods:\n  prompt_ce: {epochs: 3}\nbackbones: {mini-vit: null}\n")
    config = read_study(
        root, [root / "workflow/studies/smoke.yaml", overlay], {"protocol": "paper"}
    )
    assert list(config["backbones"]) == ["mini-rn"]
    assert config["methods"]["prompt_ce"]["epochs"] == 3  # from the overlay
    assert config["methods"]["prompt_ce"]["learning_rate"] == 0.002  # from the protocol
    assert config["methods"]["linear_probe"]["max_iterations"] == 20  # from smoke.yaml
    overlay.write_text("- a list\n")
    with pytest.raises(InputError, match="holds no keys and values"):
        read_study(root, [overlay], {})


def test_data_sets_may_run_different_methods(paper):
    runs = {job.dataset: set() for job in study_jobs(paper)}
    for job in study_jobs(paper):
        if job.runs and job.backbone == "RN50":
            runs[job.dataset].add(job.method)
    assert runs["imagenet"] == {"zero_shot", "prompt_ce", "upl", "robust_upl_ce", "robust_upl_gce"}
    assert "finetune" in runs["dtd"]
    assert runs["oxford_pets"] - runs["caltech101"] == {
        "prompt_ctx0",
        "prompt_ctx4",
        "prompt_ctx8",
        "prompt_ctx32",
        "linear_probe_sgd",
    }


def test_a_job_that_has_not_run_is_asked_for_by_one_file(smoke):
    jobs = study_jobs(smoke)
    asked = missing_files(jobs, lambda file: False)
    assert asked == [job.outputs[0] for job in jobs]
    assert missing_files(jobs, outputs(jobs).__contains__) == []
    run = "<results>/runs/symbols/mini-rn/prompt_ce/symmetric/fp-8/seed-2"
    lost = {f"{run}/logits.npy", "<data>/symbols/receipt.json"}
    assert set(missing_files(jobs, (outputs(jobs) - lost).__contains__)) == lost


def test_the_work_of_prompts_follows_from_their_tokens(paper):
    """Forward and backward, the latter to activations only, for context and class tokens."""
    (job,) = [
        job
        for job in study_jobs(paper)
        if (job.dataset, job.backbone, job.method) == ("oxford_pets", "RN50", "prompt_gce")
    ]
    tokens = 16 + 154
    layers = 12 * 12 * 512**2
    steps = 50 * (16 * 37 // 32)
    scores = 2 * 32 * 37 * 1024
    expected = 16 * steps * 2 * (2 * tokens * layers + scores) / 1e9
    work = work_of(paper, job, sizes(paper))
    assert work.gflops == pytest.approx(expected)
    logits = 2 * 3669 * 37
    assert work.bytes == pytest.approx(16 * (logits + 4 * 16 * 512), rel=0.05)


def test_gradients_of_single_images_are_work_too(paper):
    """At one of four rates, in a dozen epochs, each image of the draw has a backward pass."""
    ce, gce = (
        next(
            work_of(paper, job, sizes(paper))
            for job in study_jobs(paper)
            if (job.dataset, job.backbone, job.method) == ("oxford_pets", "RN50", method)
        )
        for method in ("prompt_ce", "prompt_gce")
    )
    backward = 2 * (16 + 154) * 12 * 12 * 512**2 / 1e9
    assert ce.gflops - gce.gflops == pytest.approx(4 * 12 * (16 * 37) * backward)


def test_trainings_are_compared_by_their_work(paper):
    def work(method: str, labels: str = "symmetric", backbone: str = "RN50", runs: int = 16):
        return training_gflops(paper, backbone, method, labels, runs)

    order = ["finetune", "text_finetune", "prompt_ce", "prompt_ctx32", "prompt_gce", "classifier_r"]
    assert sorted(order, key=work, reverse=True) == order
    assert work("upl", "pseudo_confident", runs=4) < work("prompt_gce")
    # A model whose size is not known is taken to be ViT-B/32.
    assert work("prompt_gce", backbone="mine") == work("prompt_gce", backbone="ViT-B-32")


def test_the_work_of_images_is_that_of_the_encoder(paper):
    (job,) = [
        job
        for job in study_jobs(paper)
        if (job.rule, job.dataset, job.backbone) == ("encode_images", "dtd", "RN50")
    ]
    images = 2820 + 1128 + 1692
    expected = Work(pytest.approx(images * 12.22), images, 2 * images * 1024)
    assert work_of(paper, job, sizes(paper)) == expected


def test_the_embedded_models_have_the_sizes_of_their_weights(root):
    for name in ("mini-rn", "mini-vit"):
        text = read_json(root / f"ptnl/assets/{name}.json")["text_cfg"]
        assert (MODELS[name].text_width, MODELS[name].text_layers) == (
            text["width"],
            text["layers"],
        )


def test_the_number_of_encodings_in_a_step(root):
    study = read_study(root, [root / "workflow/studies/later.yaml"], {})
    encodings = {
        method: encodings_a_step(method, settings) for method, settings in study["methods"].items()
    }
    assert {method for method, number in encodings.items() if number == 1} == {
        *("prompt_ce", "prompt_gce", "prompt_double_softmax", "nlprompt", "tecoprompt", "joapr"),
        "cocoop",  # its batches have one image
    }
    assert encodings["proda"] == 4
    assert encodings["lp_plus_plus"] == encodings["zero_shot"] == encodings["tip_adapter_f"] == 0


def test_the_work_of_every_job_of_the_paper_is_known(paper):
    known = sizes(paper)
    assert all(work_of(paper, job, known) is not None for job in study_jobs(paper))


def test_a_machine_computes_and_decodes_at_the_same_time():
    machine = Machine("toy", 300, "made up", decoders=2)
    assert machine.seconds(Work()) == STARTUP_SECONDS
    assert machine.seconds(Work(gflops=3000)) == pytest.approx(STARTUP_SECONDS + 10)
    decoding = machine.seconds(Work(gflops=3000, images=100_000))
    assert decoding == pytest.approx(STARTUP_SECONDS + 100_000 * DECODE_SECONDS / 2)


def test_no_number_of_cores_decodes_faster_than_one_thread_feeds_the_encoder():
    machine = Machine("toy", 300, "made up", decoders=1000)
    feeding = machine.seconds(Work(gflops=3000, images=100_000))
    assert feeding == pytest.approx(STARTUP_SECONDS + 100_000 * UNSHARED_SECONDS)


def test_an_estimate_says_what_it_rests_on():
    peak = of_peak("a data sheet", 67_000, 0.002)
    assert peak.gflops == pytest.approx(20_100)
    assert "assumed 30% of 67 TFLOP/s (a data sheet)" in peak.basis
    assert "2 ms to decode an image" in peak.basis
    assert peak.seconds(Work(images=10_000)) == pytest.approx(STARTUP_SECONDS + 20)
    assert "91 TFLOP/s, as measured" in H200.basis
    assert pytest.approx(H200.gflops, rel=0.005) == 91_000


def test_hours_follow_from_the_time_of_similar_jobs(smoke):
    views = {**smoke, "views": 2}
    encode = [job for job in study_jobs(views) if job.rule == "encode_views"]
    first = next(job for job in encode if job.backbone == "mini-rn")
    measured = {first.record: Measured(1800.0, 1.0)}
    plan = planned(views, measured)
    (step,) = [step for step in plan.steps if step.rule == "encode_views"]
    # Half of the jobs are of mini-vit, for which there is no measured time.
    assert (step.jobs, step.hours_here) == (4, None)
    only = {**views, "backbones": {"mini-rn": {}}}
    plan = planned(only, measured)
    (step,) = [step for step in plan.steps if step.rule == "encode_views"]
    assert step.hours_here == pytest.approx(2 * 0.5)
    assert plan.steps[-1].hours_here is None
    assert "no rate is known: --calibrate" in plan.here
    calibrated = planned(only, measured, here=of_peak("made up", 1000, 0.001))
    assert calibrated.steps[-1].hours_here > 1
    assert "estimate" in calibrated.here


def test_downloads_are_those_of_missing_data_sets(paper):
    sources = [
        Source("a.tgz", "dtd", urls=("https://x",), bytes=600),
        Source("b.tgz", "dtd", urls=("https://x",), bytes=50, optional=True),
        Source("c.tgz", "food101", urls=("https://x",)),
        Source("d.tar", "imagenet", bytes=7),
        Source("e.tgz", "ucf101", urls=("https://x",), bytes=3),
    ]
    jobs = study_jobs(paper)
    left = {
        job: NOT_THERE for job in jobs if (job.rule, job.dataset) != ("download_dataset", "ucf101")
    }
    plan = make_plan(paper, jobs, left, sizes(paper), {}, sources)
    assert plan.download_bytes == 600
    assert plan.download_unsized == ["c.tgz"]
    assert plan.by_hand == ["d.tar"]
    assert "600 B" in as_text(plan)


def test_a_backbone_of_unknown_size_is_named(smoke):
    named = {"model": "ViT-L-14", "pretrained": "openai"}
    plan = planned({**smoke, "backbones": {**smoke["backbones"], "large": named}})
    assert plan.unsized == ["large"]
    assert plan.steps[-1].hours_h200 is None
    assert "Not known (?): the work of large." in as_text(plan)


def test_text_and_json_say_the_same(paper):
    plan = planned(paper)
    total = json.loads(json.dumps(as_json(plan)))["steps"][-1]
    assert (total["rule"], total["runs"]) == ("total", 1888)
    (line,) = [line for line in as_text(plan).splitlines() if line.startswith("total")]
    assert line.split()[1:5] == [str(total["missing"]), str(total["jobs"]), "1,888", "1,888"]
    assert len(as_text(plan).splitlines()) <= 23


def test_a_stage_says_how_many_jobs_have_which_reason(smoke):
    jobs = study_jobs(smoke)
    trained = [job for job in jobs if job.rule.startswith("tune_method")]
    left = dict.fromkeys(trained[:3], "epochs: 2 became 3") | {trained[3]: NOT_THERE}
    text = as_text(make_plan(smoke, jobs, left, sizes(smoke), {}, []))
    (line,) = [line for line in text.splitlines() if line.startswith("tune_method ")]
    assert line.endswith("3 epochs: 2 became 3, 1 not there yet")
    (line,) = [line for line in text.splitlines() if line.startswith("encode_images")]
    assert line.endswith("up to date")


def test_rates_of_a_machine_are_written_and_read(tmp_path):
    rates = Rates("the CPU, 2 threads", 100.0, 0.002, "2026-11-26")
    assert read_rates(tmp_path / "rates.json") is None
    keep_rates(rates, tmp_path / "rates.json")
    keep_rates(rates, tmp_path / "rates.json")  # a second measurement replaces the first
    assert read_rates(tmp_path / "rates.json") == rates
    assert rates.machine().gflops == pytest.approx(30)
    (tmp_path / "rates.json").write_text("{}")
    with pytest.raises(InputError, match="holds no rates"):
        read_rates(tmp_path / "rates.json")


def test_rates_of_this_machine_can_be_measured():
    rates = Rates(**measured_rates(torch.device("cpu")))
    assert rates.device.startswith("the CPU, ")
    assert rates.gflops > 0
    assert rates.decode_seconds > 0


def test_planning_does_not_import_torch():
    assert loaded("import ptnl.cli.plan", "torch") == []
