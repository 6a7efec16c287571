"""Which jobs a study consists of.

The same jobs as Snakemake's, counted without it: its graph of thousands of jobs takes seconds to
build, and this list a fraction of one. Pure, without torch. Files stand in the workflow's own
notation, below `<results>` and `<data>`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ptnl.labels.noise import NOISES
from ptnl.methods import METHODS
from ptnl.study.grid import (
    RANDOM_PROMPT,
    TPT,
    Part,
    Sweep,
    parts,
    pseudo_labels_of,
    random_prompts,
    sweeps,
    tpt_evaluations,
    tpt_starts,
)
from ptnl.study.job_files import (
    Config,
    Job,
    draw_file,
    encoder_files,
    features_file,
    image_encoder_of,
    manifest_file,
    metrics_files,
    receipt_file,
    run_files,
    views_files,
    weights_files,
    with_receipt,
    zero_shot_labels_file,
)
from ptnl.study.summary_jobs import measure_jobs, summary_jobs
from ptnl.training.run import Run


def study_jobs(config: Config) -> list[Job]:
    """Every job behind the target `all`."""
    return _behind(list(_candidates(config)), targets(config))


def targets(config: Config) -> set[str]:
    """The files that the target `all` asks for by name."""
    return {file for job in summary_jobs(config) for file in job.outputs}


def _behind(jobs: list[Job], asked: Iterable[str]) -> list[Job]:
    """The jobs that make the files, or what those are made of, in their order."""
    makers = {file: job for job in jobs for file in job.outputs}
    needed: set[Job] = set()
    queue = [makers[file] for file in asked]
    while queue:
        job = queue.pop()
        if job not in needed:
            needed.add(job)
            queue += [makers[file] for file in job.inputs]
    return [job for job in jobs if job in needed]


def _candidates(config: Config) -> Iterator[Job]:
    """Every job that the workflow knows for the study, whether or not something asks for it."""
    for backbone in config["backbones"]:
        if files := weights_files(config, backbone):
            yield Job("fetch_backbone", (), with_receipt(files), backbone=backbone)
    for encoder in dict.fromkeys(image_encoder_of(config, name) for name in config["backbones"]):
        if files := encoder_files(encoder):
            yield Job("fetch_image_encoder", (), with_receipt(files))
    for dataset in config["datasets"]:
        yield from _draws(config, dataset)
        for backbone in config["backbones"]:
            yield from _encodings(config, dataset, backbone)
        yield from _noises(config, dataset)
    for dataset, backbone in random_prompts(config):
        folder = f"<results>/random_prompts/{dataset}/{backbone}"
        yield Job(
            "evaluate_random_prompts",
            (
                manifest_file(dataset),
                features_file(dataset, backbone),
                *weights_files(config, backbone),
            ),
            (f"{folder}/accuracy.parquet", f"{folder}/confusion.parquet"),
            dataset,
            backbone,
            RANDOM_PROMPT,
            record=f"evaluate_random_prompts/{dataset}/{backbone}.tsv",
        )
    for dataset, backbone in tpt_evaluations(config):
        views = f"<results>/test_views/{dataset}/{backbone}.npy"
        yield Job(
            "encode_test_views",
            (
                receipt_file(config, dataset),
                manifest_file(dataset),
                *weights_files(config, backbone),
            ),
            (views,),
            dataset,
            backbone,
            TPT,
            record=f"encode_test_views/{dataset}/{backbone}.tsv",
        )
        starts = tpt_starts(config, dataset, backbone)
        yield Job(
            "evaluate_tpt",
            (
                manifest_file(dataset),
                views,
                *metrics_files(starts),
                *weights_files(config, backbone),
            ),
            (f"<results>/tpt/{dataset}/{backbone}.parquet",),
            dataset,
            backbone,
            TPT,
            record=f"evaluate_tpt/{dataset}/{backbone}.tsv",
        )
    yield from _trainings(config)
    yield from measure_jobs(config)
    yield from summary_jobs(config)


def _draws(config: Config, dataset: str) -> Iterator[Job]:
    yield Job("download_dataset", (), (receipt_file(config, dataset),), dataset)
    yield Job("index_dataset", (receipt_file(config, dataset),), (manifest_file(dataset),), dataset)
    for seed in config["seeds"]:
        shots = f"<results>/shots/{dataset}/seed-{seed}.parquet"
        yield Job("sample_shots", (manifest_file(dataset),), (shots,), dataset)


def _encodings(config: Config, dataset: str, backbone: str) -> Iterator[Job]:
    manifest, features = manifest_file(dataset), features_file(dataset, backbone)
    labels = zero_shot_labels_file(dataset, backbone)
    weights = weights_files(config, backbone)
    yield Job(
        "encode_images",
        (receipt_file(config, dataset), manifest, *weights),
        (features,),
        dataset,
        backbone,
        record=f"encode_images/{dataset}/{backbone}.tsv",
    )
    zero_shot = Run(dataset, backbone, "zero_shot", "none", 0, 0)
    yield Job(
        "pseudolabel_zeroshot",
        (manifest, features, *weights),
        (labels, *run_files(zero_shot)),
        dataset,
        backbone,
        "zero_shot",
        runs=1,
        record=f"pseudolabel_zeroshot/{dataset}/{backbone}.tsv",
    )
    selections = pseudo_labels_of(config, dataset, backbone)
    for kind in selections:
        draws = [draw_file(Run(dataset, backbone, "", kind, 0, seed)) for seed in config["seeds"]]
        yield Job("sample_pseudolabels", (labels,), tuple(draws), dataset, backbone)
    imported = [noise for noise in config["noise"] if NOISES[noise].draws_images]
    for seed in config["seeds"] if config["views"] else []:
        other = [
            Run(dataset, "", "", noise, fp, seed)
            for noise in imported
            for fp in config["noise"][noise]["fps"]
        ]
        other += [Run(dataset, backbone, "", kind, 0, seed) for kind in selections]
        shots = f"<results>/shots/{dataset}/seed-{seed}.parquet"
        yield Job(
            "encode_views",
            (receipt_file(config, dataset), shots, *map(draw_file, other), *weights),
            views_files(dataset, backbone, seed),
            dataset,
            backbone,
            record=f"encode_views/{dataset}/{backbone}/seed-{seed}.tsv",
        )


def _noises(config: Config, dataset: str) -> Iterator[Job]:
    for noise, options in config["noise"].items():
        for seed in config["seeds"]:
            reads = [manifest_file(dataset), f"<results>/shots/{dataset}/seed-{seed}.parquet"]
            if NOISES[noise].needs_pseudolabels:
                reads.append(zero_shot_labels_file(dataset, config["primary_backbone"]))
            draws = tuple(draw_file(Run(dataset, "", "", noise, fp, seed)) for fp in options["fps"])
            yield Job(f"inject_noise_{noise}", tuple(reads), draws, dataset)


def _trainings(config: Config) -> Iterator[Job]:
    for sweep in sweeps(config):
        if not METHODS[sweep.method].is_trained:
            continue
        for part in parts(config, sweep.noise, sweep.fps):
            yield _training(config, sweep, part)


def _training(config: Config, sweep: Sweep, part: Part) -> Job:
    """The job that trains a part of a sweep."""
    of_job = replace(sweep, seeds=part.seeds).runs
    reads = [manifest_file(sweep.dataset), *map(draw_file, of_job)]
    if METHODS[sweep.method].trains_on == "images":
        stage = "finetune_backbone"
        encoder = image_encoder_of(config, sweep.backbone)
        reads += [receipt_file(config, sweep.dataset), *encoder_files(encoder)]
        record = f"{stage}/{sweep.dataset}/{sweep.backbone}/{part.place}.tsv"
    else:
        stage = "tune_method"
        record = f"{stage}/{sweep.dataset}/{sweep.backbone}/{sweep.method}/{part.place}.tsv"
        reads += [
            features_file(sweep.dataset, sweep.backbone),
            *weights_files(config, sweep.backbone),
        ]
        if config["views"] and "epochs" in config["methods"][sweep.method]:
            for seed in part.seeds:
                reads += views_files(sweep.dataset, sweep.backbone, seed)
    return Job(
        f"{stage}_{sweep.noise}{part.rule}",
        tuple(reads),
        tuple(file for run in of_job for file in run_files(run)),
        sweep.dataset,
        sweep.backbone,
        sweep.method,
        sweep.noise,
        len(of_job),
        record,
    )
