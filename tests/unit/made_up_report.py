"""Writes the report of a made-up study by the workflow's own commands, in a few seconds."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from ptnl.analysis import cost, data_report
from ptnl.cli import (
    check_claims,
    collect_predictions,
    make_overview,
    plot_details,
    report_noise,
    select_hard_images,
    write_report,
)
from ptnl.io import read_parquet, write_json
from ptnl.schemas import MANIFEST, RUNS
from tests.unit.made_up import IMAGES, study

ORIGIN = {"study": "toy", "protocol": "paper", "backbone": "mini-rn"}


def call(command, folder: Path, **options) -> None:
    """Call a command; a `Path` is taken from the study's folder, a list is several values."""
    words = []
    for name, value in options.items():
        values = value if isinstance(value, list) else [value]
        texts = [str(folder / v) if isinstance(v, Path) else v for v in values]
        words += [f"--{name.replace('_', '-')}", *texts]
    command.main(words)


def pictures(folder: Path) -> Path:
    """Write the images of the made-up study; returns the path of their receipt."""
    (folder / "images").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        pixels = rng.integers(0, 255, (100, 80, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"images/{number}.png")
    write_json({"made_by": {}}, folder / "receipt.json")
    return folder / "receipt.json"


def reported(folder: Path, fps=(0, 8)) -> Path:
    """Write a study, everything that its report needs, and the report; returns the folder."""
    dataset = "icons"
    study(folder, dataset, fps=fps)
    runs = [path.parent for path in sorted(folder.glob("runs/**/metrics.json"))]
    first = [run for run in runs if run.name in ("seed-0", "seed-1")]
    manifest = Path(f"manifests/{dataset}.parquet")
    call(
        collect_predictions,
        folder,
        runs=[run.relative_to(folder) for run in first],
        manifests=manifest,
        out=Path("predictions.parquet"),
    )
    call(
        select_hard_images,
        folder,
        predictions=Path("predictions.parquet"),
        backbone="mini-rn",
        datasets=dataset,
        receipts=str(pictures(folder / "data")),
        out=Path("hard_images.parquet"),
    )
    return written(folder, [dataset])


def written(folder: Path, datasets: Sequence[str]) -> Path:
    """A study's folder with its report, made of run table, details, manifests and hard images."""
    figures = {"confusion": [], "learning": [], "class": []}
    names = {"class": "classes"}  # of files, where they differ
    for dataset in datasets:
        drawn = {kind: Path(f"figures/{names.get(kind, kind)}_{dataset}.svg") for kind in figures}
        details = Path("details") / dataset
        call(
            plot_details,
            folder,
            **ORIGIN,
            noise="symmetric",
            **{f"{kind}_figure": path for kind, path in drawn.items()},
            **{name: details / f"{name}.parquet" for name in ("classes", "mistakes", "curves")},
            markdown=details / "mistakes.md",
        )
        for kind, path in drawn.items():
            figures[kind].append(path)
    overview = [Path("tables/overview.md"), Path("figures/overview.svg")]
    table = Path("runs.parquet")
    call(make_overview, folder, **ORIGIN, runs=table, baseline="prompt_ce", out=overview)
    noise = {"random_noise": "symmetric", "study": "toy"}
    claims = [Path("claims.md"), Path("claims.csv")]
    call(check_claims, folder, runs=table, backbone="mini-rn", **noise, out=claims)
    files = {"csv": Path("noise.csv"), "markdown": Path("noise.md")}
    call(report_noise, folder, runs=table, study="toy", protocol="paper", **files)
    sizes = {
        name: read_parquet(folder / f"manifests/{name}.parquet", MANIFEST) for name in datasets
    }
    page = data_report.markdown(
        data_report.data_table(sizes, {name: [] for name in datasets}), {}, "toy"
    )
    (folder / "datasets.md").write_text(page)
    records = pd.DataFrame({"stage": [], "seconds": [], "memory_gib": []})
    took = cost.cost_table(read_parquet(folder / table, RUNS), records, {})
    (folder / "cost.md").write_text(cost.markdown(took, "toy"))
    call(
        write_report,
        folder,
        config=Path("config.yaml"),
        runs=table,
        overview=overview[0],
        overview_figure=overview[1],
        **{f"{kind}_figures": paths for kind, paths in figures.items()},
        classes=[Path(f"details/{name}/classes.parquet") for name in datasets],
        mistakes=[Path(f"details/{name}/mistakes.md") for name in datasets],
        hard_images=Path("hard_images.parquet"),
        claims=claims[0],
        verdicts=claims[1],
        data=Path("datasets.md"),
        noise=Path("noise.md"),
        cost=Path("cost.md"),
        out=Path("report.html"),
    )
    return folder
