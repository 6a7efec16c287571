"""A lost file is made again, with everything that depends on it and nothing else."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ptnl.study.config import REPOSITORY, read_study
from ptnl.study.job_files import Job
from ptnl.study.jobs import study_jobs
from tests.workflow.conftest import Study

REPORT = {"write_report": 1}
RUN_TABLE = {
    "collect_runs": 1,
    "check_claims": 1,
    "make_table": 6,
    "make_overview": 1,
    "plot_figure": 4,
    "report_cost": 1,
    "report_noise": 1,
    **REPORT,
}
PREDICTIONS = {"collect_predictions": 1, "select_hard_images": 1}
SUMMARIES = {**RUN_TABLE, "collect_details": 1, "plot_details": 1, **PREDICTIONS}
GRADIENTS = {"collect_gradients": 1, "plot_figure": 5}
PSEUDO_LABELS = {
    "sample_pseudolabels": 2,
    "tune_method_pseudo_confident": 1,
    "tune_method_pseudo_random": 2,
    "ensemble_runs": 1,
}
CONFUSION = {"inject_noise_confusion": 2, "tune_method_confusion": 2}
TRAININGS = {"tune_method_symmetric": 18, **SUMMARIES, **GRADIENTS}
ZERO_SHOT = {"pseudolabel_zeroshot": 2, "check_zeroshot": 1, **PSEUDO_LABELS, **CONFUSION}
FEATURES = {
    "encode_images": 2,
    "evaluate_random_prompts": 1,
    **ZERO_SHOT,
    **TRAININGS,
    "report_data": 1,
    "plot_figure": 6,
}
MANIFEST = {
    "index_dataset": 1,
    "report_data": 1,
    "sample_shots": 2,
    "inject_noise_symmetric": 2,
    "finetune_backbone_symmetric": 1,
    **FEATURES,
}

# What is deleted -> the jobs that must run.
LOST = {
    "<data>/symbols/receipt.json": {"download_dataset": 1, **MANIFEST},
    "<results>/manifests": MANIFEST,
    "<results>/features": FEATURES,
    "<results>/features/symbols/mini-vit.npy": {
        "encode_images": 1,
        "pseudolabel_zeroshot": 1,
        "check_zeroshot": 1,
        "tune_method_symmetric": 2,
        "report_data": 1,
        **SUMMARIES,
    },
    "<results>/noise/symbols/symmetric/fp-8": {
        "inject_noise_symmetric": 2,
        "finetune_backbone_symmetric": 1,
        **TRAININGS,
    },
    "<results>/pseudoshots": {**PSEUDO_LABELS, **SUMMARIES},
    "<results>/runs": {**ZERO_SHOT, "finetune_backbone_symmetric": 1, **TRAININGS},
    "<results>/runs/symbols/mini-rn/classifier_r/symmetric/fp-8/seed-2": {
        "tune_method_symmetric": 1,
        **SUMMARIES,
    },
    "<results>/runs/symbols/mini-rn/prompt_ce/symmetric/fp-0/seed-1/history.parquet": {
        "tune_method_symmetric": 1,
        **SUMMARIES,
        **GRADIENTS,
    },
    "<results>/random_prompts": {
        "evaluate_random_prompts": 1,
        "make_table": 1,
        "make_overview": 1,
        "plot_figure": 1,
        **REPORT,
    },
    "<results>/runs.parquet": RUN_TABLE,
    "<results>/tables": {"make_table": 6, "make_overview": 1, **REPORT},
    "<results>/report.html": REPORT,
    "<results>/logs": {},
}


@contextmanager
def without(study: Study, files: list[str]) -> Iterator[None]:
    """Move some of the study's files or folders away, and put them back at the end."""
    paths = [path for path in map(study.path, files) if path.exists()]
    kept = [path.rename(study.folder / f"kept-{number}") for number, path in enumerate(paths)]
    try:
        yield
    finally:
        for place, path in zip(kept, paths, strict=True):
            place.rename(path)


def jobs_of(study: Study) -> list[Job]:
    return study_jobs(read_study(REPOSITORY, [study.overlay], {}))


def due_jobs(study: Study) -> dict[str, int]:
    """Rule -> number of jobs that lack an output, or that read the output of such a job."""
    jobs = jobs_of(study)
    left = {job for job in jobs if not all(study.path(file).exists() for file in job.outputs)}
    while True:
        fresh = {file for job in left for file in job.outputs}
        more = {job for job in jobs if fresh & set(job.inputs)} - left
        if not more:
            return {**Counter(job.rule for job in left), **({"all": 1} if left else {})}
        left |= more


@pytest.mark.parametrize("lost", LOST)
def test_a_lost_file_is_made_again_with_what_follows(pretended, lost):
    with without(pretended, [lost]):
        expected = LOST[lost] | ({"all": 1} if LOST[lost] else {})
        assert due_jobs(pretended) == expected
        assert pretended.planned() == expected


@pytest.mark.parametrize("seed", range(3))
def test_random_losses_are_made_again_with_what_follows(pretended, seed):
    files = [file for job in jobs_of(pretended) for file in job.outputs]
    with without(pretended, random.Random(seed).sample(files, 1 + 3 * seed)):
        assert pretended.planned() == due_jobs(pretended)


def test_ptnl_knows_every_file_that_snakemake_makes(pretended):
    said = pretended.snakemake("--summary")
    assert said.returncode == 0, said.stderr
    made = {Path(line.split("\t")[0]) for line in said.stdout.splitlines()[1:]}
    assert made == {pretended.path(file) for job in jobs_of(pretended) for file in job.outputs}
