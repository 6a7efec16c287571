"""The jobs that read the runs of a study: measures, tables, figures, pages and the report."""

from collections.abc import Iterator

from ptnl.labels.pseudo_labels import SELECTIONS
from ptnl.methods import METHODS
from ptnl.study import layouts
from ptnl.study.grid import (
    RANDOM_PROMPT,
    encoded,
    gradient_runs,
    predicted_runs,
    pseudo_label_runs,
    random_prompts,
    runs,
    split_runs,
    tpt_evaluations,
    zero_shot_runs,
)
from ptnl.study.job_files import (
    Config,
    Job,
    features_file,
    manifest_file,
    metrics_files,
    receipt_file,
)


def measure_jobs(config: Config) -> Iterator[Job]:
    """The jobs that measure something beside accuracy, where the study has the runs for it."""
    if pseudo_labelled := pseudo_label_runs(config):
        yield Job("ensemble_runs", metrics_files(pseudo_labelled), ("<results>/ensembles.parquet",))
    if measured := gradient_runs(config):
        yield Job("collect_gradients", metrics_files(measured), ("<results>/gradients.parquet",))
    if split := split_runs(config):
        yield Job("collect_splits", metrics_files(split), ("<results>/splits.parquet",))


def summary_jobs(config: Config) -> Iterator[Job]:
    """From the runs to the report: what the target `all` asks for by name."""
    table, summary = "<results>/runs.parquet", "<results>/summary.parquet"
    gradients = "<results>/gradients.parquet"
    confusion = [
        f"<results>/random_prompts/{dataset}/{backbone}/confusion.parquet"
        for dataset, backbone in random_prompts(config)
    ]
    copies = ("<results>/runs.csv", "<results>/summary.csv")
    yield Job("collect_runs", metrics_files(runs(config)), (table, summary, *copies))
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
        *map(manifest_file, config["datasets"]),
        *(features_file(*pair) for pair in encoded(config)),
    ]
    yield Job("report_data", tuple(described), data)
    zero_shot: tuple[str, ...] = ()
    if untrained := zero_shot_runs(config):
        zero_shot = ("<results>/zeroshot.csv", "<results>/zeroshot.md")
        yield Job("check_zeroshot", metrics_files(untrained), zero_shot)
    noise = ("<results>/noise.csv", "<results>/noise.md")
    yield Job("report_noise", (table,), noise)
    cost = ("<results>/cost.csv", "<results>/cost.md")
    yield Job("report_cost", (table, "<results>/config.yaml"), cost)
    own = list(_own_pages(config, table, confusion))
    yield from own
    read = (".svg", ".md", ".yaml", "/classes.parquet", "/hard_images.parquet")
    pages = [file for job in own for file in job.outputs if file.endswith(read)]
    pages += [f"<results>/tables/table{number}.md" for number in tables]
    pages += [f"<results>/figures/figure{number}.svg" for number in figures]
    later = (*ranks[1:], *tpt[1:])
    yield Job(
        "write_report",
        (table, *pages, *later, *claims, data[1], *zero_shot[1:], noise[1], cost[1]),
        ("<results>/report.html",),
    )


def _own_pages(config: Config, table: str, confusion: list[str]) -> Iterator[Job]:
    """The jobs of what every study shows: its config, all methods, and each data set in detail."""
    yield Job("write_config", (), ("<results>/config.yaml",))
    draws = [file.replace("confusion.", "accuracy.") for file in confusion]
    drawn = [f"<results>/figures/overview.{suffix}" for suffix in ("svg", "pdf", "png")]
    listed = [f"<results>/tables/overview.{suffix}" for suffix in ("csv", "md", "tex")]
    yield Job("make_overview", (table, *draws), (*listed, *drawn))
    manifests = tuple(map(manifest_file, config["datasets"]))
    predictions = "<results>/predictions.parquet"
    yield Job(
        "collect_predictions",
        (*metrics_files(predicted_runs(config)), *manifests),
        (predictions,),
    )
    receipts = [receipt_file(config, dataset) for dataset in config["datasets"]]
    yield Job("select_hard_images", (predictions, *receipts), ("<results>/hard_images.parquet",))
    for dataset in config["datasets"]:
        of_dataset = [run for run in runs(config) if run.dataset == dataset]
        details = f"<results>/details/{dataset}"
        collected = tuple(f"{details}/{kind}.parquet" for kind in ("classes", "mistakes", "curves"))
        yield Job(
            "collect_details", (*metrics_files(of_dataset), manifest_file(dataset)), collected
        )
        plotted = [
            f"<results>/figures/{kind}_{dataset}.{suffix}"
            for kind in ("classes", "confusion", "learning")
            for suffix in ("svg", "pdf", "png")
        ]
        yield Job("plot_details", collected, (*plotted, f"{details}/mistakes.md"))
