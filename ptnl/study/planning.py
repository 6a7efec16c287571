"""Which jobs a study consists of, and which of them are left to do.

The same jobs as Snakemake's, counted without it: its graph of thousands of jobs takes seconds to
build, and this list a fraction of one. Pure, without torch. Files stand in the workflow's own
notation, below `<results>` and `<data>`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ptnl.backbones.registry import IMAGE_ENCODERS, Shipped, backbones_of
from ptnl.labels.noise import NOISES
from ptnl.labels.pseudo_labels import SELECTIONS
from ptnl.methods import METHODS
from ptnl.schemas import RUN_FILES, ZERO_SHOT_FILES
from ptnl.study import layouts
from ptnl.study.grid import (
    RANDOM_PROMPT,
    TPT,
    Sweep,
    encoded,
    gradient_runs,
    pseudo_label_runs,
    pseudo_labels_of,
    random_prompts,
    runs,
    split_runs,
    sweeps,
    tpt_evaluations,
    tpt_starts,
    zero_shot_runs,
)
from ptnl.study.places import backbone_place, dataset_place
from ptnl.training.run import Run

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    """A job of the workflow."""

    rule: str
    inputs: tuple[str, ...]  # of those files that other jobs make
    outputs: tuple[str, ...]
    dataset: str = ""  # this and the next two: empty where a job serves several
    backbone: str = ""
    method: str = ""
    runs: int = 0  # that it leaves
    record: str = ""  # of what it took, beside its log, below `<results>/logs`; empty: none

    @property
    def kind(self) -> tuple[str, str, str]:
        """What decides how fast a job computes: its stage, backbone and method."""
        return self.record.split("/")[0], self.backbone, self.method


def study_jobs(config: Config) -> list[Job]:
    """Every job behind the target `all`."""
    return _behind(list(_candidates(config)), targets(config))


def targets(config: Config) -> set[str]:
    """The files that the target `all` asks for by name."""
    return {file for job in _summaries(config) for file in job.outputs}


def missing_files(jobs: Iterable[Job], exists: Callable[[str], bool]) -> list[str]:
    """Of every job that left a file that is not there any more, or never was, the first such file.

    Parameters
    ----------
    jobs : see `study_jobs`
    exists : whether a file is there
    """
    lost = (next((file for file in job.outputs if not exists(file)), None) for job in jobs)
    return [file for file in lost if file is not None]


def to_do(jobs: Sequence[Job], exists: Callable[[str], bool]) -> set[Job]:
    """The jobs that Snakemake runs for the sake of files that are not there.

    A job runs when a file of its own is missing, or when a file that it reads is made anew. (What
    was edited since, Snakemake alone knows.)
    """
    readers: dict[str, list[Job]] = {}
    for job in jobs:
        for file in job.inputs:
            readers.setdefault(file, []).append(job)
    found: set[Job] = set()
    queue = [job for job in jobs if not all(map(exists, job.outputs))]
    while queue:
        job = queue.pop()
        if job not in found:
            found.add(job)
            queue += [reader for file in job.outputs for reader in readers.get(file, [])]
    return found


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


def _run_files(run: Run) -> list[str]:
    names = RUN_FILES if METHODS[run.method].is_trained else ZERO_SHOT_FILES
    return [f"<results>/runs/{run.path}/{name}" for name in names]


def _manifest(dataset: str) -> str:
    return f"<results>/manifests/{dataset}.parquet"


def _receipt(config: Config, dataset: str) -> str:
    return f"<data>/{dataset_place(config, dataset)}/receipt.json"


def _features(dataset: str, backbone: str) -> str:
    return f"<results>/features/{dataset}/{backbone}.npy"


def _zero_shot_labels(dataset: str, backbone: str) -> str:
    return f"<results>/pseudolabels/{dataset}/{backbone}.parquet"


def _weights(config: Config, backbone: str) -> tuple[str, ...]:
    """The files of a backbone that some job makes: none where the package ships it."""
    if isinstance(backbones_of(config)[backbone].source, Shipped):
        return ()
    folder = f"<data>/backbones/{backbone_place(config, backbone)}"
    return f"{folder}/open_clip_config.json", f"{folder}/open_clip_model.safetensors"


def _image_encoder(config: Config, backbone: str) -> str:
    """The image encoder that fine-tuning trains for a backbone; empty where there is none."""
    return backbones_of(config)[backbone].image_encoder


def _encoder_files(encoder: str) -> tuple[str, ...]:
    """The files of an image encoder that some job makes: none where the package ships it."""
    if not encoder or isinstance(IMAGE_ENCODERS[encoder], Shipped):
        return ()
    folder = f"<data>/image_encoders/{encoder}"
    return f"{folder}/config.json", f"{folder}/model.safetensors"


def _with_receipt(files: tuple[str, ...]) -> tuple[str, ...]:
    """What a fetch leaves: files, and a receipt beside them."""
    return *files, f"{files[0].rpartition('/')[0]}/receipt.json"


def _draw(run: Run) -> str:
    """The labelled draw that a run trains on."""
    if run.noise in SELECTIONS:
        folder = f"<results>/pseudoshots/{run.dataset}/{run.backbone}/{run.noise}"
        return f"{folder}/seed-{run.seed}.parquet"
    return f"<results>/noise/{run.dataset}/{run.noise}/fp-{run.fp}/seed-{run.seed}.parquet"


def _views(dataset: str, backbone: str, seed: int) -> tuple[str, str]:
    path = f"<results>/views/{dataset}/{backbone}/seed-{seed}"
    return f"{path}.npy", f"{path}.parquet"


def _candidates(config: Config) -> Iterator[Job]:
    """Every job that the workflow knows for the study, whether or not something asks for it."""
    for backbone in config["backbones"]:
        if files := _weights(config, backbone):
            yield Job("fetch_backbone", (), _with_receipt(files), backbone=backbone)
    for encoder in dict.fromkeys(_image_encoder(config, name) for name in config["backbones"]):
        if files := _encoder_files(encoder):
            yield Job("fetch_image_encoder", (), _with_receipt(files))
    for dataset in config["datasets"]:
        yield from _draws(config, dataset)
        for backbone in config["backbones"]:
            yield from _encodings(config, dataset, backbone)
        yield from _noises(config, dataset)
    for dataset, backbone in random_prompts(config):
        folder = f"<results>/random_prompts/{dataset}/{backbone}"
        yield Job(
            "evaluate_random_prompts",
            (_manifest(dataset), _features(dataset, backbone), *_weights(config, backbone)),
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
            (_receipt(config, dataset), _manifest(dataset), *_weights(config, backbone)),
            (views,),
            dataset,
            backbone,
            TPT,
            record=f"encode_test_views/{dataset}/{backbone}.tsv",
        )
        starts = tpt_starts(config, dataset, backbone)
        yield Job(
            "evaluate_tpt",
            (_manifest(dataset), views, *_metrics(starts), *_weights(config, backbone)),
            (f"<results>/tpt/{dataset}/{backbone}.parquet",),
            dataset,
            backbone,
            TPT,
            record=f"evaluate_tpt/{dataset}/{backbone}.tsv",
        )
    yield from _trainings(config)
    yield from _measures(config)
    yield from _summaries(config)


def _draws(config: Config, dataset: str) -> Iterator[Job]:
    yield Job("download_dataset", (), (_receipt(config, dataset),), dataset)
    yield Job("index_dataset", (_receipt(config, dataset),), (_manifest(dataset),), dataset)
    for seed in config["seeds"]:
        shots = f"<results>/shots/{dataset}/seed-{seed}.parquet"
        yield Job("sample_shots", (_manifest(dataset),), (shots,), dataset)


def _encodings(config: Config, dataset: str, backbone: str) -> Iterator[Job]:
    manifest, features = _manifest(dataset), _features(dataset, backbone)
    labels = _zero_shot_labels(dataset, backbone)
    weights = _weights(config, backbone)
    yield Job(
        "encode_images",
        (_receipt(config, dataset), manifest, *weights),
        (features,),
        dataset,
        backbone,
        record=f"encode_images/{dataset}/{backbone}.tsv",
    )
    zero_shot = Run(dataset, backbone, "zero_shot", "none", 0, 0)
    yield Job(
        "pseudolabel_zeroshot",
        (manifest, features, *weights),
        (labels, *_run_files(zero_shot)),
        dataset,
        backbone,
        "zero_shot",
        runs=1,
        record=f"pseudolabel_zeroshot/{dataset}/{backbone}.tsv",
    )
    pseudo = pseudo_labels_of(config, dataset, backbone)
    for kind in pseudo:
        draws = [_draw(Run(dataset, backbone, "", kind, 0, seed)) for seed in config["seeds"]]
        yield Job("sample_pseudolabels", (labels,), tuple(draws), dataset, backbone)
    imported = [noise for noise in config["noise"] if NOISES[noise].draws_images]
    for seed in config["seeds"] if config["views"] else []:
        other = [
            Run(dataset, "", "", noise, fp, seed)
            for noise in imported
            for fp in config["noise"][noise]["fps"]
        ]
        other += [Run(dataset, backbone, "", kind, 0, seed) for kind in pseudo]
        shots = f"<results>/shots/{dataset}/seed-{seed}.parquet"
        yield Job(
            "encode_views",
            (_receipt(config, dataset), shots, *map(_draw, other), *weights),
            _views(dataset, backbone, seed),
            dataset,
            backbone,
            record=f"encode_views/{dataset}/{backbone}/seed-{seed}.tsv",
        )


def _noises(config: Config, dataset: str) -> Iterator[Job]:
    for noise, options in config["noise"].items():
        for seed in config["seeds"]:
            reads = [_manifest(dataset), f"<results>/shots/{dataset}/seed-{seed}.parquet"]
            if NOISES[noise].needs_pseudolabels:
                reads.append(_zero_shot_labels(dataset, config["primary_backbone"]))
            draws = tuple(_draw(Run(dataset, "", "", noise, fp, seed)) for fp in options["fps"])
            yield Job(f"inject_noise_{noise}", tuple(reads), draws, dataset)


def _trainings(config: Config) -> Iterator[Job]:
    for sweep in sweeps(config):
        if not METHODS[sweep.method].is_trained:
            continue
        seeds = [sweep.seeds] if config["fuse"] else [(seed,) for seed in sweep.seeds]
        for together in seeds:
            of_job = [run for run in sweep.runs if run.seed in together]
            yield _training(config, sweep, of_job)


def _training(config: Config, sweep: Sweep, of_job: list[Run]) -> Job:
    """The job that trains some runs of a sweep."""
    where = sweep.noise
    if not config["fuse"]:
        where = f"{sweep.noise}/seed-{of_job[0].seed}"
    reads = [_manifest(sweep.dataset), *map(_draw, of_job)]
    if METHODS[sweep.method].trains_on == "images":
        stage = "finetune_backbone"
        encoder = _image_encoder(config, sweep.backbone)
        reads += [_receipt(config, sweep.dataset), *_encoder_files(encoder)]
        record = f"{stage}/{sweep.dataset}/{sweep.backbone}/{where}.tsv"
    else:
        stage = "tune_method"
        record = f"{stage}/{sweep.dataset}/{sweep.backbone}/{sweep.method}/{where}.tsv"
        reads += [_features(sweep.dataset, sweep.backbone), *_weights(config, sweep.backbone)]
        if config["views"] and "epochs" in config["methods"][sweep.method]:
            for seed in dict.fromkeys(run.seed for run in of_job):
                reads += _views(sweep.dataset, sweep.backbone, seed)
    return Job(
        f"{stage}_{sweep.noise}",
        tuple(reads),
        tuple(file for run in of_job for file in _run_files(run)),
        sweep.dataset,
        sweep.backbone,
        sweep.method,
        len(of_job),
        record,
    )


def _metrics(of: Iterable[Run]) -> tuple[str, ...]:
    return tuple(f"<results>/runs/{run.path}/metrics.json" for run in of)


def _measures(config: Config) -> Iterator[Job]:
    """What is measured beside accuracy, where the study has the runs for it."""
    if pseudo := pseudo_label_runs(config):
        yield Job("ensemble_runs", _metrics(pseudo), ("<results>/ensembles.parquet",))
    if measured := gradient_runs(config):
        yield Job("collect_gradients", _metrics(measured), ("<results>/gradients.parquet",))
    if split := split_runs(config):
        yield Job("collect_splits", _metrics(split), ("<results>/splits.parquet",))


def _summaries(config: Config) -> Iterator[Job]:
    """From the runs to the report: what the target `all` asks for by name."""
    table, summary = "<results>/runs.parquet", "<results>/summary.parquet"
    gradients = "<results>/gradients.parquet"
    confusion = [
        f"<results>/random_prompts/{dataset}/{backbone}/confusion.parquet"
        for dataset, backbone in random_prompts(config)
    ]
    copies = ("<results>/runs.csv", "<results>/summary.csv")
    yield Job("collect_runs", _metrics(runs(config)), (table, summary, *copies))
    tables = layouts.fillable(layouts.TABLES, config)
    figures = layouts.fillable(layouts.FIGURES, config)
    for number in tables:
        methods = layouts.TABLES[number].methods
        reads = [summary]
        if any(METHODS[method].labels in SELECTIONS for method in methods):
            reads.append("<results>/ensembles.parquet")
        if RANDOM_PROMPT in methods:
            reads += [file.replace("confusion.", "accuracy.") for file in confusion]
        files = [f"<results>/tables/table{number}.{suffix}" for suffix in ("csv", "md", "tex")]
        yield Job("make_table", tuple(reads), tuple(files))
    for number in figures:
        shown = {
            "accuracy": [summary],
            "gradients": [gradients],
            "splits": ["<results>/splits.parquet"],
            "confusion": confusion,
        }
        files = [f"<results>/figures/figure{number}.{suffix}" for suffix in ("svg", "pdf", "png")]
        yield Job("plot_figure", tuple(shown[layouts.FIGURES[number].kind]), tuple(files))
    ranks: tuple[str, ...] = ()
    if layouts.RANKED in tables:
        ranks = ("<results>/ranks.csv", "<results>/ranks.md")
        yield Job("rank_methods", (table,), ranks)
    tpt: tuple[str, ...] = ()
    if evaluated := tpt_evaluations(config):
        tpt = ("<results>/tpt.csv", "<results>/tpt.md")
        files = [f"<results>/tpt/{dataset}/{backbone}.parquet" for dataset, backbone in evaluated]
        yield Job("report_tpt", tuple(files), tpt)
    claims = ("<results>/claims.md", "<results>/claims.csv")
    measured = (gradients,) if gradient_runs(config) else ()
    yield Job("check_claims", (table, *measured), claims)
    data = ("<results>/datasets.csv", "<results>/datasets.md", "<results>/feature_norms.csv")
    described = [
        *map(_manifest, config["datasets"]),
        *(_features(*pair) for pair in encoded(config)),
    ]
    yield Job("report_data", tuple(described), data)
    zero_shot: tuple[str, ...] = ()
    if untrained := zero_shot_runs(config):
        zero_shot = ("<results>/zeroshot.csv", "<results>/zeroshot.md")
        yield Job("check_zeroshot", _metrics(untrained), zero_shot)
    noise = ("<results>/noise.csv", "<results>/noise.md")
    yield Job("report_noise", (table,), noise)
    cost = ("<results>/cost.csv", "<results>/cost.md")
    yield Job("report_cost", (table,), cost)
    own = list(_own_pages(config, table, confusion))
    yield from own
    pages = [file for job in own for file in job.outputs if file.endswith((".svg", ".md", ".yaml"))]
    pages += [f"<results>/tables/table{number}.md" for number in tables]
    pages += [f"<results>/figures/figure{number}.svg" for number in figures]
    later = (*ranks[1:], *tpt[1:])
    yield Job(
        "write_report",
        (table, *pages, *later, claims[0], data[1], *zero_shot[1:], noise[1], cost[1]),
        ("<results>/report.html",),
    )


def _own_pages(config: Config, table: str, confusion: list[str]) -> Iterator[Job]:
    """What a study shows whatever it runs: its config, all methods, and each data set in detail."""
    yield Job("write_config", (), ("<results>/config.yaml",))
    draws = [file.replace("confusion.", "accuracy.") for file in confusion]
    drawn = [f"<results>/figures/overview.{suffix}" for suffix in ("svg", "pdf", "png")]
    listed = [f"<results>/tables/overview.{suffix}" for suffix in ("csv", "md", "tex")]
    yield Job("make_overview", (table, *draws), (*listed, *drawn))
    for dataset in config["datasets"]:
        of_dataset = [run for run in runs(config) if run.dataset == dataset]
        details = f"<results>/details/{dataset}"
        collected = tuple(f"{details}/{kind}.parquet" for kind in ("classes", "mistakes", "curves"))
        yield Job("collect_details", (*_metrics(of_dataset), _manifest(dataset)), collected)
        plotted = [
            f"<results>/figures/{kind}_{dataset}.{suffix}"
            for kind in ("classes", "confusion", "learning")
            for suffix in ("svg", "pdf", "png")
        ]
        yield Job("plot_details", collected, (*plotted, f"{details}/mistakes.md"))
